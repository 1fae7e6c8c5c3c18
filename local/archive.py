"""Make a container image from files, without an engine: a docker archive of one layer."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """What goes into an image."""

    reference: str
    entrypoint: Sequence[str]
    files: Mapping[str, Path]
    """Path in the image -> file on this machine."""
    user: str = "65532:65532"
    directories: Mapping[str, int] = field(default_factory=lambda: {"tmp": 0o1777, "etc": 0o755})
    """Directory in the image -> its mode; parents of files are made anyway."""


def write(image: Image, archive: Path, machine: str = "x86_64") -> None:
    """Write the archive; the same input gives the same bytes."""
    layer = _layer(image)
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": list(image.entrypoint),
                "User": image.user,
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        },
        sort_keys=True,
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{digest}/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": [image.reference], "Layers": [layer_name]}]
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as tar:
        _add(tar, config_name, config)
        _add(tar, layer_name, layer)
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    directories = {path.strip("/"): mode for path, mode in image.directories.items()}
    for path in image.files:
        for parent in Path(path.lstrip("/")).parents:
            if str(parent) != ".":
                directories.setdefault(str(parent), 0o755)
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        # Sorted, so that a directory comes before what is in it.
        for path, mode in sorted(directories.items()):
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        for path, source in sorted(image.files.items()):
            _add(tar, path.lstrip("/"), source.read_bytes(), source.stat().st_mode & 0o755)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
