"""The last thing in both streams: it tells the log agent that the log is whole."""

from ember.worker.log import write_all

# The same as ember.model.labels.END_MARK; a contract test compares them.
END_MARK = "\x1eEMBER-END\x1e"


def write_end_marks() -> None:
    """Write the mark to standard output and standard error; nothing may write to them afterwards.

    If the last line had no newline the mark stands at its end: the log agent takes a mark at the end of any line.
    """
    for descriptor in (1, 2):
        write_all(descriptor, END_MARK.encode() + b"\n")
