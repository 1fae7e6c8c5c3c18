"""Metrics and JSON logs. Nothing here decides anything or speaks to Kubernetes or to the object store."""
