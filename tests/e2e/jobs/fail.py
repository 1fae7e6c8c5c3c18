"""Fail as jobs do: with an exception of their own."""

raise ValueError("the job's own words")
