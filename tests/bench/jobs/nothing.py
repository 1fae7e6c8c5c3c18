"""A driver that does nothing at all: what is left is what the platform takes."""
