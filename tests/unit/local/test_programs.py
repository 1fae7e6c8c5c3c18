import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from local import versions
from local.prerequisites import go_is_enough
from local.programs import catalog
from local.programs.catalog import MODULE, Program, go_s_name
from local.programs.progress import REPORT_EVERY, Progress


@dataclass(frozen=True)
class Elsewhere(Program):
    """A program whose sources a test may change."""

    at: Path = Path()

    @property
    def source(self) -> Path:
        return self.at


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    monkeypatch.setattr(catalog, "go_version", lambda: "go1.26.8 linux amd64")
    source = tmp_path / "programs"
    shutil.copytree(catalog.SOURCES, source)
    return Elsewhere("coredns", {"coredns": "./coredns"}, at=source)


def test_the_key_is_of_the_content_alone(program: Elsewhere, tmp_path: Path) -> None:
    copy = shutil.copytree(program.source, tmp_path / "copy")
    assert replace(program, at=copy).key() == program.key()


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "coredns/main.go"])
def test_the_key_changes_with_the_sources(program: Elsewhere, file: str) -> None:
    before = program.key()
    with (program.source / file).open("a") as opened:
        opened.write("\n")
    assert program.key() != before


@pytest.mark.parametrize("file", ["containerd.mod", "kubernetes/main.go", "build.py"])
def test_the_key_does_not_change_with_what_others_are_made_of(program: Elsewhere, file: str) -> None:
    before = program.key()
    with (program.source / file).open("a") as opened:
        opened.write("\n")
    assert program.key() == before


def test_the_key_changes_with_the_recipe(program: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    before = program.key()
    assert replace(program, variables={"main.version": "v1"}).key() != before
    assert replace(program, packages={"coredns": "./other"}).key() != before
    monkeypatch.setattr(catalog, "go_version", lambda: "go1.27.0 linux amd64")
    assert program.key() != before


@pytest.mark.parametrize("modfile", [MODULE, "containerd.mod"])
@pytest.mark.parametrize(("name", "version"), versions.programs().items())
def test_the_modules_require_the_pinned_versions(modfile: str, name: str, version: str) -> None:
    lines = (catalog.SOURCES / modfile).read_text().splitlines()
    required = [line.removeprefix("require").split()[:2] for line in lines if "=>" not in line]
    assert version in [words[1] for words in required if len(words) == 2 and f"/{name}" in words[0]]


def test_containerd_s_versions_differ_only_where_kubernetes_has_its_own() -> None:
    common, own = ((catalog.SOURCES / name).read_text().splitlines() for name in (MODULE, "containerd.mod"))
    missing = [line for line in common if line not in own]
    assert [line for line in own if line not in common] == []
    assert missing
    assert all("k8s.io/" in line and "=>" in line for line in missing)


@pytest.mark.parametrize(
    ("package", "name"),
    [("./kubernetes", "kubernetes"), ("go.etcd.io/etcd/server/v3", "server"), ("helm.sh/helm/v4/cmd/helm", "helm")],
)
def test_executables_are_found_under_go_s_names(package: str, name: str) -> None:
    assert go_s_name(package) == name


def test_every_pinned_program_is_built_and_no_other() -> None:
    assert set(catalog.catalog()) == set(versions.programs())


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_the_pace_so_far() -> None:
    clock, said = Clock(), list[str]()
    progress = Progress(100, clock, said.append)
    guess = progress.seconds_left()
    for number in range(50):
        clock.now += 1
        progress.saw(f"example.org/package{number}")
    assert progress.seconds_left() > guess
    assert progress.seconds_left() == pytest.approx(50 + 25)
    assert [line.split()[:3] for line in said] == [[str(15 * n), "of", "100"] for n in (1, 2, 3)]
    assert REPORT_EVERY == 15


def test_what_go_says_beside_the_packages_does_not_count() -> None:
    progress = Progress(10, Clock(), lambda _: None)
    for line in ("go: downloading example.org v1", "# example.org/x", "example.org/y"):
        progress.saw(line)
    assert progress.done == 1


@pytest.mark.parametrize(
    ("found", "enough"),
    [("go1.26.8", True), ("go1.27", True), ("go2.0", True), ("go1.26rc1", True), ("go1.9.7", False), ("", False)],
)
def test_go_versions_are_compared_as_numbers(found: str, enough: bool) -> None:
    assert go_is_enough(found, "1.26") is enough
