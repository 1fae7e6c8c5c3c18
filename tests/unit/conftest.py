"""What all unit tests share."""

from hypothesis import settings

# A busy machine is slow at times; how long something takes is asked in benchmarks.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")
