"""Ember's images: built when something in them has changed, pushed when the cluster's registry lacks them.

An image's tag is a hash of all that it is made of, so nothing else has to be remembered: what has a tag already need
not be made again.
"""

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local import console, provider, rootfs
from local.engines import Buildah, Docker, Engine, Order, stopping
from local.errors import LocalError
from local.lock import locked
from local.paths import cache_dir
from local.programs.build import ensure
from local.programs.catalog import executable

REPOSITORY = Path(__file__).parents[1]
NAMES = ("spark", "operator", "minio")
PROJECT = "ember"
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
    lines = re.findall(r"^(?:COPY|ADD)\s+(.+)$", containerfile.replace("\\\n", " "), re.MULTILINE)
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
    registry = provider.current().registry
    tags = {work: work.tag() for work in _works(names)}
    missing = [work for work, tag in tags.items() if not in_registry(registry, tag)]
    tags |= _together(missing, lambda work: work.push(registry))
    return {work.recipe.name: f"{registry}/{tag}" for work, tag in tags.items()}


def build(names: Sequence[str] = ("spark", "operator")) -> None:
    """Have images built, to be pushed later: for the time in which there is no registry yet."""
    _together(_works(names), _Work.build)


def _works(names: Sequence[str]) -> list["_Work"]:
    kind = provider.current().name == "kind"
    if "minio" in names:
        ensure(["minio"])
    # Docker has its own base image, the Containerfiles' default.
    base = "" if kind else rootfs.reference()
    engine: Engine = Docker() if kind else Buildah()
    return [_Work(recipe(name), base, engine) for name in names]


def _together(works: Sequence["_Work"], do: Callable[["_Work"], str]) -> dict["_Work", str]:
    if not works:
        return {}
    with locked(cache_dir() / "images" / ".lock", "another build of images"):
        works[0].engine.prepare(works[0].base)
        with ThreadPoolExecutor(len(works)) as pool, stopping():
            done = [pool.submit(do, work) for work in works]
            tags = {work: future.result() for work, future in zip(works, done, strict=True)}
        # Not earlier: with an image go the layers that no other one needs. The next build needs most of them, and a
        # build that runs looks at all of them.
        for work, tag in tags.items():
            work.remove_all_but(tag)
        return tags


@dataclass(frozen=True)
class _Work:
    """What there is to do for one image."""

    recipe: Recipe
    base: str
    engine: Engine

    def tag(self) -> str:
        """Return the tag of what the files are now."""
        return f"{PROJECT}/{self.recipe.name}:{self.recipe.key(self.base)}"

    def build(self) -> str:
        """Have the image built; return its tag."""
        outdated: set[str] = set()
        while (tag := self.tag()) in outdated or not self.engine.has(tag):
            with console.step(f"image {tag} built"):
                self.engine.build(self.recipe.name, self._order(tag))
            outdated.discard(tag)
            if self.tag() != tag:
                console.say(f"Files of the image {self.recipe.name} have changed meanwhile; once more.")
                outdated.add(tag)
        return tag

    def push(self, registry: str) -> str:
        """Have the image in a registry; return its tag."""
        tag = self.build()
        with console.step(f"image {tag} pushed"):
            self.engine.push(tag, f"{registry}/{tag}")
        return tag

    def remove_all_but(self, tag: str) -> None:
        """Remove what earlier files of the image were made into."""
        for old in self.engine.tags(f"{PROJECT}/{self.recipe.name}"):
            if old != tag:
                self.engine.remove(old)

    def _order(self, tag: str) -> Order:
        arguments = {"BASE": self.base} if self.base else {}
        return Order(self.recipe.containerfile, self.recipe.context, tag, arguments, secrets())


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
