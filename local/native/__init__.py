"""A node made of plain processes, in a network namespace of its own: no engine, no registry elsewhere."""
