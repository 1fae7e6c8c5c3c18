"""Who speaks to the API server: the users' kubeconfigs."""

import base64
import json
from pathlib import Path

from local.native.certificates import Authority, Pair
from local.native.layout import API_URL, NAME, Layout

# Component -> its user and groups, as the API server's built-in roles know them.
COMPONENTS = {
    "controller-manager": ("system:kube-controller-manager", ()),
    "scheduler": ("system:kube-scheduler", ()),
    "proxy": ("system:kube-proxy", ()),
    "kubelet": (f"system:node:{NAME}", ("system:nodes",)),
}


def issue(layout: Layout, authority: Authority) -> None:
    """Write the components' kubeconfigs and the administrator's."""
    for component, (user, groups) in COMPONENTS.items():
        write(layout.kubeconfigs / component, authority, user, authority.client(user, groups))
    # The group is above all roles: nothing has to be bound before it can work.
    administrator = authority.client("ember-local-admin", ("system:masters",))
    write(layout.kubeconfig, authority, "admin", administrator)
    administrator.write(layout.pki, "admin")


def write(path: Path, authority: Authority, user: str, client: Pair) -> None:
    """Write a kubeconfig that holds all it needs."""
    cluster = {"server": API_URL, "certificate-authority-data": _base64(authority.pair.certificate_pem())}
    credentials = {
        "client-certificate-data": _base64(client.certificate_pem()),
        "client-key-data": _base64(client.key_pem()),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": user}}],
        "current-context": NAME,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    # JSON is YAML too.
    path.write_text(json.dumps(content, indent=1) + "\n")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
