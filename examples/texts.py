"""Real text to count words in: the Python language reference, which every Python carries for its help().

Its licence (the PSF's) allows any use; no download and no copy in this repository is needed. Versions of Python differ
in it, so right answers are computed from the same texts, not written down.
"""

from pydoc_data.topics import topics


VOLUMES = 8  # a file is a task or more: eighty small ones would be eighty tasks for half a megabyte


def texts() -> dict[str, str]:
    """Return the reference's sections, 460 KB in all, in a file for each first letter of their topics: about 18."""
    files: dict[str, str] = {}
    for topic, text in sorted(topics.items()):
        name = f"{topic[0].lower()}.txt"
        files[name] = files.get(name, "") + text
    return files
