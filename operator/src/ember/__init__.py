"""Ember: Amazon EMR Serverless for any Kubernetes."""
