"""The node's log reader: follows the container logs the broker names and writes them to the object store.

It has no rights in Kubernetes; everything it knows comes from the broker and from /var/log/pods.
"""

from ember.logagent.agent import Agent, run
from ember.logagent.options import AgentOptions

__all__ = ["Agent", "AgentOptions", "run"]
