"""The local environment: a real Kubernetes on this machine, its programs and its images.

``python -m local up`` starts it. Other modules ask ``local.provider.current()`` for the cluster.
"""
