"""Factories and expectation verbs that tests are written with."""
