"""Where each kind of object lives in the Kubernetes API."""

from dataclasses import dataclass
from urllib.parse import quote

from ember.kube.index import Kind
from ember.model import labels


@dataclass(frozen=True)
class Resource:
    """One kind of object. `group` is empty for the core API."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        """What objects of this kind carry as `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The URL's path; without a namespace: of all namespaces, or of a kind that has none."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        tail = "".join(f"/{quote(part, safe='')}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.plural}{tail}"


PODS = Resource("", "v1", "Pod", "pods")
SECRETS = Resource("", "v1", "Secret", "secrets")
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps")
SERVICE_ACCOUNTS = Resource("", "v1", "ServiceAccount", "serviceaccounts")
NAMESPACES = Resource("", "v1", "Namespace", "namespaces")
NODES = Resource("", "v1", "Node", "nodes")
EVENTS = Resource("", "v1", "Event", "events")
LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "TokenReview", "tokenreviews")
APPLICATIONS = Resource(labels.GROUP, labels.VERSION, "EMRApplication", "emrapplications")
JOB_RUNS = Resource(labels.GROUP, labels.VERSION, "JobRun", "jobruns")

INDEXED = {Kind.APPLICATION: APPLICATIONS, Kind.JOB_RUN: JOB_RUNS, Kind.POD: PODS}
