"""What an image's tag depends on, and where the base image comes from."""

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from local import engines, images, rootfs
from local.engines import Order
from local.errors import LocalError
from local.images import Recipe, copied, files

CONTAINERFILE = """
ARG BASE=debian
FROM ${BASE} AS jars
COPY requirements.txt /opt/
RUN something
FROM jars
COPY --from=jars /opt/jars/ /opt/jars/
COPY --chown=1:1 code/one.py \\
     code/lib/ /opt/code/
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(images, "REPOSITORY", tmp_path)
    (tmp_path / "images/spark").mkdir(parents=True)
    (tmp_path / "images/spark/Containerfile").write_text(CONTAINERFILE)
    (tmp_path / "code/lib/__pycache__").mkdir(parents=True)
    for name in (
        "requirements.txt",
        "code/one.py",
        "code/lib/two.py",
        "code/unused.py",
        "code/lib/__pycache__/two.pyc",
    ):
        (tmp_path / name).write_text(name)
    return Recipe("spark", tmp_path)


def test_only_copies_from_the_context_count() -> None:
    assert copied(CONTAINERFILE) == ["requirements.txt", "code/one.py", "code/lib/"]


def test_directories_are_copied_whole_without_caches(made: Recipe) -> None:
    found = [str(path.relative_to(made.context)) for path in files(made.context, copied(CONTAINERFILE))]
    assert found == ["code/lib/two.py", "code/one.py", "requirements.txt"]


def test_the_key_stays_when_nothing_that_is_copied_changes(made: Recipe) -> None:
    before = made.key("base")
    (made.context / "code/unused.py").write_text("changed")
    (made.context / "code/lib/__pycache__/two.pyc").write_text("changed")
    (made.context / "code/one.py").touch()
    assert made.key("base") == before


@pytest.mark.parametrize("name", ["requirements.txt", "code/one.py", "code/lib/two.py", "images/spark/Containerfile"])
def test_the_key_follows_the_content(made: Recipe, name: str) -> None:
    before = made.key("base")
    with (made.context / name).open("a") as file:
        file.write("# changed")
    assert made.key("base") != before


def test_the_key_follows_names_and_the_base(made: Recipe) -> None:
    before = made.key("base")
    assert made.key("another base") != before
    (made.context / "code/lib/two.py").rename(made.context / "code/lib/three.py")
    assert made.key("base") != before


def test_a_missing_source_is_named(made: Recipe) -> None:
    (made.context / "requirements.txt").unlink()
    with pytest.raises(LocalError, match=r"requirements\.txt"):
        made.key("base")


@pytest.mark.parametrize("name", ["spark", "operator"])
def test_the_images_copy_what_there_is(name: str) -> None:
    found = images.recipe(name)
    assert files(found.context, copied(found.containerfile.read_text()))


def test_an_unknown_image_is_named() -> None:
    with pytest.raises(LocalError, match="no image nginx"):
        images.recipe("nginx")


def test_a_code_change_leaves_the_dependencies_alone() -> None:
    for name in ("spark", "operator"):
        *stages, last = images.recipe(name).containerfile.read_text().split("\nFROM ")
        # Except for the worker's stand-ins, which the training of the class archive uses.
        early = [source for stage in stages for source in copied(stage) if source.startswith("operator/src")]
        assert all("/worker/warm/" in source for source in early)
        assert any(source.startswith("operator/src") for source in copied(last))


def test_spark_is_the_same_release_in_pip_and_maven() -> None:
    spark = images.REPOSITORY / "images/spark"
    (version,) = [
        line.split("==")[1].split()[0]
        for line in (spark / "requirements.txt").read_text().splitlines()
        if line.startswith("pyspark==")
    ]
    assert f"<spark.version>{version}</spark.version>" in (spark / "pom.xml").read_text()


def test_both_engines_get_the_same_options() -> None:
    order = Order(Path("C"), Path("ctx"), "ember/x:1", {"BASE": "b"}, {"ca": Path("/ca.crt")})
    assert order.options() == ["--build-arg=BASE=b", "--secret=id=ca,src=/ca.crt", "--file=C", "--tag=ember/x:1", "ctx"]


def test_without_a_private_authority_there_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    assert images.secrets() == {}


DEB822 = """Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: https://packages.example/node
Suites: nodistro
Components: main
"""


def test_the_base_comes_from_the_machines_own_mirrors() -> None:
    found = rootfs.sources([DEB822, "deb https://tools.example/apt stable main\n"], "trixie")
    assert [line.split("] ")[1] for line in found] == [
        "http://mirror.example/debian trixie main",
        "http://mirror.example/debian trixie-updates main",
        "http://mirror.example/debian-security trixie-security main",
    ]


def test_one_line_sources_are_read_too() -> None:
    text = "# deb http://old.example/debian x main\ndeb [arch=amd64] http://mirror.example/debian/ bookworm main\n"
    (line,) = rootfs.sources([text], "trixie")
    assert line.endswith("http://mirror.example/debian/ trixie main")


def test_without_a_debian_mirror_mmdebstrap_chooses() -> None:
    assert rootfs.sources(["deb http://archive.example/ubuntu noble main\n"], "trixie") == []


def test_long_instructions_are_told_with_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    times = iter([0.0, 0.0, 0.0, 1.0, 1.0, 31.0, 31.0])
    monkeypatch.setattr("local.console.say", told.append)
    lines = ["[1/2] STEP 1/2: FROM a\n", "[1/2] STEP 2/2: RUN b  && c\n", "output\n", "[2/2] STEP 1/1: FROM d\n"]
    log = io.StringIO()
    assert engines._tell("spark", lines, log, lambda: next(times)).endswith("STEP 1/1: FROM d")
    assert told == ["  30.0 s    spark: RUN b && c"]
    assert log.getvalue() == "".join(lines)


class Builds:
    """An engine that only keeps record; files may change while it builds."""

    def __init__(self, meanwhile: list[Callable[[], object]]) -> None:
        self.images: list[str] = []
        self.removed = threading.Event()
        self.meanwhile = meanwhile

    def prepare(self, base: str) -> None: ...

    def has(self, tag: str) -> bool:
        return tag in self.images

    def tags(self, name: str) -> list[str]:
        return [tag for tag in self.images if tag.startswith(f"{name}:")]

    def build(self, name: str, order: Order) -> None:
        self.images.append(order.tag)
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def remove(self, tag: str) -> None:
        self.images.remove(tag)
        self.removed.set()

    def push(self, tag: str, target: str) -> None: ...


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """Builds and pushes some images at the same time, as everything else does."""
    monkeypatch.setattr(images, "cache_dir", lambda: tmp_path)
    return lambda *works: list(images._together(works, lambda work: work.push("registry:5000")).values())


def test_what_changes_during_a_build_is_built_once_more(made: Recipe, together: Callable[..., list[str]]) -> None:
    engine = Builds([lambda: (made.context / "code/one.py").write_text("changed")])
    work = images._Work(made, "base", engine)
    assert together(work) == [work.tag()]
    assert engine.images == [work.tag()]


def test_what_is_built_is_not_built_again(made: Recipe) -> None:
    engine = Builds([])
    work = images._Work(made, "base", engine)
    assert [work.build(), work.build()] == [work.tag(), work.tag()]
    assert engine.images == [work.tag()]


def test_no_older_image_is_left_but_while_others_are_built(made: Recipe, together: Callable[..., list[str]]) -> None:
    (made.context / "images/other").mkdir()
    (made.context / "images/other/Containerfile").write_text(CONTAINERFILE)
    disturbed: list[bool] = []
    engine = Builds([lambda: disturbed.append(engine.removed.wait(0.2)), lambda: None])
    engine.images = ["ember/spark:old", "ember/other:old", "ember/third:old"]
    works = [images._Work(recipe, "base", engine) for recipe in (made, replace(made, name="other"))]
    assert {*together(*works), "ember/third:old"} == {*engine.images}
    assert disturbed == [False]
