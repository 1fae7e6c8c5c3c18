"""The only speaker to the Kubernetes API, and the in-memory picture of what it said."""
