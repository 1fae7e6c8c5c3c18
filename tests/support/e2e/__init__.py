"""Real runs on the local cluster: factories of manifests, and verbs that wait, read and expect."""
