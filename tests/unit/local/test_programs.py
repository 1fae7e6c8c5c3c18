import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from local import versions
from local.prerequisites import go_is_enough
from local.programs import catalog
from local.programs.catalog import Program
from local.programs.estimate import Durations, time_left


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
    source = tmp_path / "coredns"
    shutil.copytree(catalog.SOURCES / "coredns", source)
    return Elsewhere("coredns", {"coredns": "."}, seconds=1, at=source)


def test_the_key_is_of_the_content_alone(program: Elsewhere, tmp_path: Path) -> None:
    copy = shutil.copytree(program.source, tmp_path / "copy")
    assert replace(program, at=copy).key() == program.key()
    assert replace(program, seconds=1000).key() == program.key()


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go"])
def test_the_key_changes_with_the_sources(program: Elsewhere, file: str) -> None:
    before = program.key()
    with (program.source / file).open("a") as opened:
        opened.write("\n")
    assert program.key() != before


def test_the_key_changes_with_the_recipe(program: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    before = program.key()
    assert replace(program, ldflags="-s").key() != before
    assert replace(program, packages={"coredns": "./other"}).key() != before
    monkeypatch.setattr(catalog, "go_version", lambda: "go1.27.0 linux amd64")
    assert program.key() != before


@pytest.mark.parametrize(("name", "version"), versions.programs().items())
def test_the_modules_require_the_pinned_versions(name: str, version: str) -> None:
    lines = (catalog.SOURCES / name / "go.mod").read_text().splitlines()
    required = [line.removeprefix("require").split()[:2] for line in lines if "=>" not in line]
    assert version in [words[1] for words in required if len(words) == 2 and f"/{name}" in words[0]]


def test_every_pinned_program_is_built_and_no_other() -> None:
    assert set(catalog.catalog()) == set(versions.programs())


def test_the_time_left_is_the_sum_of_what_is_not_finished() -> None:
    assert time_left({"a": 100, "b": 50}, {}) == 150
    assert time_left({"a": 100, "b": 50}, {"a": 40}) == 110


def test_programs_that_are_built_together_share_the_machine() -> None:
    assert time_left({"a": 100, "b": 100}, {"a": 40, "b": 40}) == 160


def test_an_overdue_program_is_nearly_done_but_not_done() -> None:
    assert time_left({"a": 100}, {"a": 1000}) == pytest.approx(5)
    assert time_left({}, {}) == 0


def test_durations_outlive_the_process_and_damage_to_their_file(tmp_path: Path) -> None:
    path = tmp_path / "programs" / "durations.json"
    Durations(path).record("etcd", 40.0, 37.0)
    Durations(path).record("helm", 90.0, 101.0)
    assert Durations(path).known() == {"etcd": 40.0, "helm": 90.0}
    path.write_text("[1, 2")
    assert Durations(path).known() == {}


def test_a_build_out_of_gos_cache_says_nothing_about_the_next(tmp_path: Path) -> None:
    durations = Durations(tmp_path / "durations.json")
    durations.record("kubernetes", 17.0, 330.0)
    assert durations.known() == {}


@pytest.mark.parametrize(
    ("found", "enough"),
    [("go1.26.8", True), ("go1.27", True), ("go2.0", True), ("go1.26rc1", True), ("go1.9.7", False), ("", False)],
)
def test_go_versions_are_compared_as_numbers(found: str, enough: bool) -> None:
    assert go_is_enough(found, "1.26") is enough
