"""The node's network namespace, the cable to it, and the ways in and out."""

from local.native.layout import (
    HOST_ADDRESS,
    HOST_DEVICE,
    NAMESPACE,
    NAMESPACE_FILE,
    NODE_ADDRESS,
    NODE_BRIDGE,
    NODE_DEVICE,
    NODE_NETWORK,
    PODS,
    SERVICES,
)
from local.shell import attempt, run

TABLE = "ember"

# A program started behind this has the node's network, and everything else of the host. (`ip netns exec`
# would also give it mounts of its own, and the kubelet must share its mounts with the containers.)
INSIDE = ("nsenter", f"--net={NAMESPACE_FILE}", "--")


def create() -> None:
    """Make the namespace, and connect it with the host."""
    run(["ip", "netns", "add", NAMESPACE])
    run(["ip", "link", "add", HOST_DEVICE, "type", "veth", "peer", "name", NODE_DEVICE, "netns", NAMESPACE])
    prefix = NODE_NETWORK.partition("/")[2]
    _ip(
        f"addr add {HOST_ADDRESS}/{prefix} dev {HOST_DEVICE}",
        f"link set {HOST_DEVICE} up",
    )
    _ip(
        "link set lo up",
        f"link add {NODE_BRIDGE} type bridge",
        f"addr add {NODE_ADDRESS}/{prefix} dev {NODE_BRIDGE}",
        f"link set {NODE_BRIDGE} up",
        f"link set {NODE_DEVICE} master {NODE_BRIDGE} up",
        f"route add default via {HOST_ADDRESS}",
        inside=True,
    )
    # With these the host reaches Services and pods by their addresses.
    _ip(f"route add {SERVICES} via {NODE_ADDRESS}", f"route add {PODS} via {NODE_ADDRESS}")
    run(["nft", "-f", "-"], stdin=_masquerading())


def _masquerading() -> str:
    # Whatever device the host's default route has: what leaves by another than the cable goes out in its name.
    return f"""
        table ip {TABLE} {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                ip saddr {NODE_NETWORK} oifname != "{HOST_DEVICE}" masquerade
            }}
        }}
    """


def remove() -> None:
    """Take everything away that `create` made; what is not there is none of our worries."""
    attempt(["ip", "link", "delete", HOST_DEVICE])
    attempt(["ip", "netns", "delete", NAMESPACE])
    attempt(["nft", "delete", "table", "ip", TABLE])


def _ip(*commands: str, inside: bool = False) -> None:
    run(["ip", *(["-netns", NAMESPACE] if inside else []), "-batch", "-"], stdin="\n".join(commands) + "\n")
