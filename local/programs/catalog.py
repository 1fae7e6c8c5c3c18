"""Which programs there are, what each is built from, and the key it is cached by.

All are packages of one Go module, so that what they share is compiled once; how to change a version says versions.toml.
"""

import hashlib
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from local import versions
from local.paths import cache_dir
from local.shell import run

SOURCES = Path(__file__).parent
MODULE = "go.mod"


@dataclass(frozen=True)
class Program:
    """Something that is built into one or more executables."""

    name: str
    packages: dict[str, str]
    """Executable name -> Go package."""
    variables: dict[str, str] = field(default_factory=dict)
    """Variables that the linker sets: the version, where the code does not hold it."""
    links: tuple[str, ...] = field(default=())
    """Further names of the only executable."""
    modfile: str = MODULE
    """The versions of all that it is made of."""

    @property
    def source(self) -> Path:
        """Where the Go module is."""
        return SOURCES

    def key(self) -> str:
        """Return a hash over everything the result depends on."""
        digest = hashlib.sha256()
        modfile = self.source / self.modfile
        own = sorted((self.source / self.name).glob("*.go"))
        for path in (modfile, modfile.with_suffix(".sum"), *own):
            digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
        recipe = (sorted(self.packages.items()), sorted(self.variables.items()), self.links, go_version())
        digest.update(repr(recipe).encode())
        return digest.hexdigest()[:16]

    def directory(self) -> Path:
        """Where the built executables are, or will be."""
        return cache_dir() / "programs" / f"{self.name}-{self.key()}"

    def built(self) -> bool:
        """Return whether it is in the cache: the directory appears whole or not at all."""
        return self.directory().is_dir()


def go_s_name(package: str) -> str:
    """Return what `go build` calls the executable of a package: the last part of its path that is no version."""
    *_, before, last = ["", *package.removeprefix("./").split("/")]
    return before if re.fullmatch(r"v\d+", last) else last


@cache
def go_version() -> str:
    """Return the toolchain that builds: the one that go.mod selects, which may not be the installed one."""
    return run(["go", "env", "GOVERSION", "GOOS", "GOARCH"], cwd=SOURCES).replace("\n", " ").strip()


def _kubernetes() -> Program:
    version = versions.program("kubernetes")
    major, minor, _ = version.lstrip("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    variables = {f"{package}.{name}": value for package in packages for name, value in values.items()}
    names = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")
    return Program("kubernetes", {"kubernetes": "./kubernetes"}, variables, links=names)


def _containerd() -> Program:
    module = "github.com/containerd/containerd/v2"
    names = ("containerd", "containerd-shim-runc-v2", "ctr")
    variables = {f"{module}/version.Version": versions.program("containerd")}
    # It needs a newer API of the CRI than Kubernetes, which cannot be built with that.
    return Program("containerd", {name: f"{module}/cmd/{name}" for name in names}, variables, modfile="containerd.mod")


def _helm() -> Program:
    variables = {"helm.sh/helm/v4/internal/version.version": versions.program("helm")}
    return Program("helm", {"helm": "helm.sh/helm/v4/cmd/helm"}, variables)


@cache
def catalog() -> dict[str, Program]:
    """Return all programs by name."""
    return {
        program.name: program
        for program in (
            _kubernetes(),
            Program("minio", {"minio": "github.com/minio/minio"}),
            _helm(),
            Program("coredns", {"coredns": "./coredns"}),
            Program("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
            _containerd(),
        )
    }


def executable(name: str) -> Path:
    """Return the path of an executable, such as ``kubelet`` or ``ctr``."""
    for program in catalog().values():
        if name in program.packages or name in program.links:
            return program.directory() / name
    raise KeyError(name)
