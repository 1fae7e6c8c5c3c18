"""The sequence of a container's log files."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ember.logagent.files import LogFiles


class Node:
    """Log files whose lines are `line <n>`, and a reader."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.written = 0
        self.now = 0.0
        directory.mkdir()
        self.live = (directory / "0.log").open("ab", buffering=0)
        self.files = LogFiles(directory, lambda: self.now)
        self.seen = b""

    def write(self, count: int = 3) -> None:
        for _ in range(count):
            self.live.write(b"line %d\n" % self.written)
            self.written += 1

    def rename(self, stamp: int) -> Path:
        return (self.directory / "0.log").rename(self.directory / f"0.log.20261121-{stamp:06d}")

    def reopen(self, name: str = "0.log") -> None:
        self.live.close()
        self.live = (self.directory / name).open("ab", buffering=0)

    def rotate(self, stamp: int) -> None:
        self.rename(stamp)
        self.reopen()

    def compress(self, stamp: int, *, keep: bool = False) -> None:
        plain = self.directory / f"0.log.20261121-{stamp:06d}"
        Path(f"{plain}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        if not keep:
            plain.unlink()

    def read(self) -> None:
        self.files.scan()
        while data := self.files.read(10):
            self.seen += data

    def whole(self) -> bool:
        return self.seen == b"".join(b"line %d\n" % number for number in range(self.written))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path / "spark")
    yield made
    made.files.close()


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    files = LogFiles(tmp_path / "none")
    files.scan()
    assert (files.found, files.read(10), files.first_line()) == (False, b"", b"")


def test_what_is_appended_is_read(node: Node) -> None:
    for _ in range(3):
        node.write()
        node.read()
        assert node.whole()


def test_a_renamed_file_is_not_read_twice(node: Node) -> None:
    node.write()
    node.read()
    node.rename(1)
    node.read()
    node.write()
    node.read()
    assert node.whole()
    node.reopen()
    node.write()
    node.read()
    assert node.whole()
    assert not node.files.rotated_at_first


def test_the_runtime_may_write_to_the_old_file_while_the_new_one_is_there(node: Node) -> None:
    node.write()
    node.rename(1)
    old = node.live
    node.live = (node.directory / "0.log").open("ab", buffering=0)
    node.now = (node.directory / "0.log.20261121-000001").stat().st_mtime + 0.1
    node.read()
    old.write(b"line %d\n" % node.written)
    node.written += 1
    node.write()
    node.read()
    node.now += 60
    node.read()
    assert node.whole()
    old.close()


def test_it_tells_that_another_file_follows(node: Node) -> None:
    node.write()
    node.rename(1)
    node.live = (node.directory / "0.log").open("ab", buffering=0)
    node.now = (node.directory / "0.log.20261121-000001").stat().st_mtime + 0.1
    node.write()
    node.read()
    assert (node.files.more, node.whole()) == (True, False)
    node.now += 60
    node.read()
    assert (node.files.more, node.whole()) == (False, True)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("looks", [set(), {0}, {1}, {2}, {0, 2}, {0, 1, 2, 3, 4}])
def test_compression_changes_nothing_whenever_one_looks(node: Node, keep: bool, looks: set[int]) -> None:
    steps: list[Callable[[], None]] = [
        lambda: node.rotate(1),
        lambda: node.compress(1, keep=keep),
        lambda: node.rotate(2),
        lambda: node.compress(2, keep=keep),
        lambda: node.rotate(3),
    ]
    node.write()
    node.files.scan()
    for number, step in enumerate(steps):
        step()
        node.write()
        if number in looks:
            node.read()
    node.read()
    assert node.whole()


def test_files_that_are_there_at_the_start_are_read_in_order(node: Node) -> None:
    for stamp in (1, 2, 3):
        node.write()
        node.rotate(stamp)
    node.compress(1)
    node.compress(2, keep=True)
    (node.directory / "0.log.20261121-000003.tmp").write_bytes(b"half")
    node.write()
    node.files.scan()
    assert node.files.first_line() == b"line 0"
    node.read()
    assert node.whole()
    assert node.files.rotated_at_first


def test_a_rotation_taken_back_is_not_read_twice(node: Node) -> None:
    node.write()
    node.read()
    renamed = node.rename(1)
    node.read()
    renamed.rename(node.directory / "0.log")
    node.write()
    node.read()
    node.rotate(2)
    node.write()
    node.read()
    assert node.whole()


def test_a_restarted_container_follows(node: Node) -> None:
    node.write()
    node.read()
    node.reopen("1.log")
    node.write()
    node.read()
    node.reopen("10.log")
    node.write()
    node.read()
    assert node.whole()


def test_open_files_outlive_the_directory(node: Node) -> None:
    node.write()
    node.files.scan()
    for path in node.directory.iterdir():
        path.unlink()
    node.directory.rmdir()
    node.write()
    node.read()
    assert node.whole()


def test_a_file_that_ends_within_a_line_gets_its_newline(node: Node) -> None:
    node.live.write(b"torn")
    node.rotate(1)
    node.live.write(b"next\n")
    node.read()
    assert node.seen == b"torn\nnext\n"


def test_a_torn_compressed_file_gives_what_it_has(node: Node) -> None:
    node.write(2000)
    node.rotate(1)
    node.compress(1)
    packed = node.directory / "0.log.20261121-000001.gz"
    packed.write_bytes(packed.read_bytes()[:-100])
    node.live.write(b"next\n")
    node.read()
    assert node.seen.startswith(b"line 0\nline 1\n")
    assert node.seen.endswith(b"\nnext\n")


def test_excess_is_dropped_from_the_oldest_on(node: Node) -> None:
    for stamp in (1, 2, 3, 4):
        node.write(1000)
        node.rotate(stamp)
    node.files.scan()
    assert node.files.drop_excess(10**6) == 0
    dropped = node.files.drop_excess(20_000)
    node.read()
    assert 0 < len(node.seen) <= 20_000
    assert dropped + len(node.seen) == sum(len(b"line %d\n" % number) for number in range(node.written))
    assert node.seen.endswith(b"line 3999\n")
