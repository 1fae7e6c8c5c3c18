"""Data only: custom resources, states, quantities, settings. No clock, no I/O, no logging."""
