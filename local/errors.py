"""What goes wrong in a way that the user can act on."""


class LocalError(Exception):
    """One sentence for the user; the verbs print it without a traceback."""
