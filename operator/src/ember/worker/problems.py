"""What ends a worker before its run could begin, or instead of it."""


class WorkerError(Exception):
    """The worker cannot do what it was told; the message says why."""
