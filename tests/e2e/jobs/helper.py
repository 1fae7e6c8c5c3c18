"""A module for --py-files."""


def double(number: int) -> int:
    return 2 * number
