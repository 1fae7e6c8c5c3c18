"""Ember's images: built when something in them has changed, pushed when the cluster's registry lacks them.

An image's tag is a hash of all that it is made of, so nothing else has to be remembered: what has a tag already need
not be made again.
"""

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local import console, provider, rootfs
from local.engines import Buildah, Docker, Engine
from local.errors import LocalError
from local.lock import locked
from local.paths import cache_dir
from local.programs.build import ensure
from local.programs.catalog import executable

REPOSITORY = Path(__file__).parents[1]
NAMES = ("spark", "operator", "minio")
REPOSITORY_PREFIX = "ember"
# Any of these says that this machine trusts certificates which an image does not know.
_CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_JAVA_CACERTS = Path("/etc/ssl/certs/java/cacerts")
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Recipe:
    """How an image is made."""

    name: str
    context: Path
    """The directory that the Containerfile's COPY lines are relative to."""

    @property
    def containerfile(self) -> Path:
        """The instructions."""
        return REPOSITORY / "images" / self.name / "Containerfile"

    def key(self, base: str) -> str:
        """Return a hash of everything that the image is made of."""
        text = self.containerfile.read_text()
        digest = hashlib.sha256(f"{base}\0{text}\0".encode())
        for path in files(self.context, copied(text)):
            digest.update(f"{path.relative_to(self.context)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]


def copied(containerfile: str) -> list[str]:
    """Return what a Containerfile copies from its build context."""
    lines = re.findall(r"^(?:COPY|ADD)\s+(.+)$", containerfile, re.MULTILINE)
    return [source for line in lines if "--from=" not in line for source in _sources(line)]


def _sources(line: str) -> list[str]:
    words = [word for word in line.split() if not word.startswith("--")]
    return words[:-1]


def files(context: Path, sources: Iterable[str]) -> list[Path]:
    """Return the files under some paths of a build context, as .dockerignore lets them through."""
    found: set[Path] = set()
    for source in sources:
        top = context / source
        if not top.exists():
            raise LocalError(f"{top} is missing; an image copies it.")
        found |= set(top.rglob("*")) if top.is_dir() else {top}
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def recipe(name: str) -> Recipe:
    """Return the recipe of an image."""
    if name not in NAMES:
        raise LocalError(f"There is no image {name}; there are {', '.join(NAMES)}.")
    return Recipe(name, executable("minio").parent if name == "minio" else REPOSITORY)


def build_and_push(names: Sequence[str] = NAMES) -> dict[str, str]:
    """Have images in the cluster's registry; return the references that pods pull them by."""
    cluster = provider.current()
    engine: Engine = Docker() if cluster.name == "kind" else Buildah()
    base = "" if cluster.name == "kind" else rootfs.reference()
    if "minio" in names:
        ensure(["minio"])
    wanted = {name: recipe(name) for name in names}
    tags = {name: f"{REPOSITORY_PREFIX}/{name}:{made.key(base)}" for name, made in wanted.items()}
    missing = [name for name, tag in tags.items() if not in_registry(cluster.registry, tag)]
    if missing:
        with locked(cache_dir() / "images" / "lock", "another build of images"):
            engine.prepare(base)
            with ThreadPoolExecutor(len(missing)) as pool:
                done = [
                    pool.submit(_make, engine, wanted[name], tags[name], base, cluster.registry) for name in missing
                ]
                for image in done:
                    image.result()
    return {name: f"{cluster.registry}/{tag}" for name, tag in tags.items()}


def _make(engine: Engine, made: Recipe, tag: str, base: str, registry: str) -> None:
    if not engine.has(tag):
        with console.step(f"image {tag} built"):
            engine.build(made.name, made.containerfile, made.context, tag, {"BASE": base} if base else {}, secrets())
    with console.step(f"image {tag} pushed"):
        engine.push(tag, f"{registry}/{tag}")


def secrets() -> dict[str, Path]:
    """Return the files that a build behind a private certificate authority needs; they stay out of the image."""
    bundle = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), "")
    found = {"ca": Path(bundle), "java-cacerts": _JAVA_CACERTS} if bundle else {}
    return {name: path for name, path in found.items() if path.is_file()}


def in_registry(registry: str, tag: str) -> bool:
    """Return whether the cluster's registry has an image."""
    repository, _, version = tag.rpartition(":")
    url = f"http://{registry}/v2/{repository}/manifests/{version}"
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS):  # noqa: S310 - always http
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise LocalError(f"The registry {registry} answers {error.code} for {tag}.") from error
    except OSError as error:
        raise LocalError(f"The cluster's registry {registry} does not answer; `make up` starts it.") from error
