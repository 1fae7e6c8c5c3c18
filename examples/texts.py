"""Real text to count words in: the Python language reference, which every Python carries for its help().

Its licence (the PSF's) allows any use; no download and no copy in this repository is needed. Versions of Python differ
in it, so right answers are computed from the same texts, not written down.
"""

from pydoc_data.topics import topics

VOLUMES = 8  # a file is a task or more: eighty small ones would be eighty tasks for half a megabyte


def texts() -> dict[str, str]:
    """Return the reference's sections in volumes, 460 KB in all, by a file name for each."""
    sections = [text for _, text in sorted(topics.items())]
    return {f"volume-{number + 1}.txt": "\n".join(sections[number::VOLUMES]) for number in range(VOLUMES)}
