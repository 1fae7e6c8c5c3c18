"""Real text to count words in: the Python language reference, which every Python carries for its help().

Its licence (the PSF's) allows any use; no download and no copy in this repository is needed. Versions of Python differ
in it, so right answers are computed from the same texts, not written down.
"""

from pydoc_data.topics import topics


def texts() -> dict[str, str]:
    """Return the reference's sections, about 80 texts and 500 KB in all, by a file name for each."""
    return {f"{name.replace('.', '-')}.txt": text for name, text in sorted(topics.items())}
