"""The kernel settings that a node changes for the whole machine: remembered, and put back."""

import json
from collections.abc import Mapping
from pathlib import Path

from local.native.processes import boot_id

# What a node needs at least: packets of pods pass to the world, and each of tens of pods may watch files.
NEEDED = {"net/ipv4/ip_forward": 1, "fs/inotify/max_user_instances": 1024}
WATCHED = (
    *NEEDED,
    # The kubelet changes these.
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
ROOT = Path("/proc/sys")


def save(record: Path, root: Path = ROOT) -> None:
    """Write down the settings as they are, unless that was already done in this boot."""
    if _recorded(record) is not None:
        return
    values = {name: (root / name).read_text().strip() for name in WATCHED if (root / name).exists()}
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"boot": boot_id(), "values": values}, indent=1))


def restore(record: Path, root: Path = ROOT) -> None:
    """Put the settings back as they were; a record of another boot is worth nothing."""
    for name, value in (_recorded(record) or {}).items():
        setting = root / name
        if setting.read_text().strip() != value:
            setting.write_text(value)
    record.unlink(missing_ok=True)


def prepare(root: Path = ROOT) -> None:
    """Raise what is too low for a node."""
    for name, least in NEEDED.items():
        setting = root / name
        if int(setting.read_text()) < least:
            setting.write_text(str(least))


def _recorded(record: Path) -> Mapping[str, str] | None:
    try:
        content = json.loads(record.read_text())
        return dict(content["values"]) if content["boot"] == boot_id() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
