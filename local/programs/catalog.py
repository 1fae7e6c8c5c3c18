"""Which programs there are, what each is built from, and the key it is cached by."""

import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from local import versions
from local.paths import cache_dir
from local.shell import run

SOURCES = Path(__file__).parent


@dataclass(frozen=True)
class Program:
    """One Go module of ours and the executables it gives."""

    name: str
    packages: dict[str, str]
    """Executable name -> Go package."""
    seconds: float
    """How long a build from nothing takes on two cores: the estimate until there is a record."""
    ldflags: str = "-s -w"
    links: tuple[str, ...] = field(default=())
    """Further names of the only executable."""

    @property
    def source(self) -> Path:
        """Where its go.mod is."""
        return SOURCES / self.name

    def key(self) -> str:
        """Return a hash over everything the result depends on."""
        digest = hashlib.sha256()
        for path in sorted(self.source.iterdir()):
            if path.name in {"go.mod", "go.sum"} or path.suffix == ".go":
                digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
        recipe = (sorted(self.packages.items()), self.ldflags, self.links, go_version())
        digest.update(repr(recipe).encode())
        return digest.hexdigest()[:16]

    def directory(self) -> Path:
        """Where the built executables are, or will be."""
        return cache_dir() / "programs" / f"{self.name}-{self.key()}"

    def built(self) -> bool:
        """Return whether it is in the cache: the directory appears whole or not at all."""
        return self.directory().is_dir()


@cache
def go_version() -> str:
    """Return the toolchain that builds: the one that go.mod selects, which may not be the installed one."""
    return run(["go", "env", "GOVERSION", "GOOS", "GOARCH"], cwd=SOURCES / "kubernetes").replace("\n", " ").strip()


def _kubernetes() -> Program:
    version = versions.program("kubernetes")
    major, minor, _ = version.lstrip("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = ["-s", "-w"]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        flags += [f"-X {package}.{name}={value}" for name, value in values.items()]
    names = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")
    return Program("kubernetes", {"kubernetes": "."}, seconds=330, ldflags=" ".join(flags), links=names)


def _containerd() -> Program:
    module = "github.com/containerd/containerd/v2"
    names = ("containerd", "containerd-shim-runc-v2", "ctr")
    flags = f"-s -w -X {module}/version.Version={versions.program('containerd')}"
    return Program("containerd", {name: f"{module}/cmd/{name}" for name in names}, seconds=69, ldflags=flags)


def _helm() -> Program:
    flags = f"-s -w -X helm.sh/helm/v4/internal/version.version={versions.program('helm')}"
    return Program("helm", {"helm": "helm.sh/helm/v4/cmd/helm"}, seconds=101, ldflags=flags)


@cache
def catalog() -> dict[str, Program]:
    """Return all programs by name."""
    return {
        program.name: program
        for program in (
            _kubernetes(),
            Program("minio", {"minio": "github.com/minio/minio"}, seconds=152),
            _helm(),
            Program("coredns", {"coredns": "."}, seconds=80),
            _containerd(),
            Program("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, seconds=37),
        )
    }


def executable(name: str) -> Path:
    """Return the path of an executable, such as ``kubelet`` or ``ctr``."""
    for program in catalog().values():
        if name in program.packages or name in program.links:
            return program.directory() / name
    raise KeyError(name)
