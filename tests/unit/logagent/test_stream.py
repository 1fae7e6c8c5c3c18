"""Streams: the end mark, rotation, gzip spools."""

import gzip
import io
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ember.logagent.spool import GzipSpool
from ember.logagent.stream import EndMark, LogStream, Part
from ember.model.labels import END_MARK

MARK = END_MARK.encode()
cut_lists = st.lists(st.integers(0, 400), max_size=12)


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[start:stop] for start, stop in pairwise(places)]


def content(part: Part) -> bytes:
    with part.body as body:
        return gzip.decompress(body.read())


@given(st.lists(st.sampled_from([b"text", b"\n", b"\x1e", MARK, MARK[:5], b""]), max_size=12), cut_lists, st.booleans())
def test_only_a_mark_at_the_very_end_is_taken_away(parts: list[bytes], cuts: list[int], newline: bool) -> None:
    text = b"".join(parts)
    marked, unmarked = EndMark(), EndMark()
    tail = MARK + (b"\n" if newline else b"")
    assert b"".join(marked.feed(chunk) for chunk in chunks(text + tail, cuts)) + marked.flush() == text
    assert marked.seen
    kept = b"".join(unmarked.feed(chunk) for chunk in chunks(text + b"!", cuts)) + unmarked.flush()
    assert kept == text + b"!"
    assert not unmarked.seen


def test_half_a_mark_is_text_after_all() -> None:
    mark = EndMark()
    assert mark.feed(b"text" + MARK[:5]) == b"text"
    assert mark.flush() == MARK[:5]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.binary(max_size=90), max_size=12), cut_lists, cut_lists)
def test_objects_depend_on_the_text_alone(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], one: list[int], two: list[int]
) -> None:
    data = b"\n".join(lines)
    seen = []
    for cuts in (one, two):
        stream = LogStream("stdout", tmp_path_factory.mktemp("spool"), 100)
        for chunk in chunks(data, cuts):
            stream.feed(chunk)
        stream.finish()
        parts = [*map(stream.sealed, stream.sealed_numbers), stream.live()]
        seen.append([(part.name, part.body.read()) for part in parts])
        for part in parts:
            part.body.close()
        stream.remove()
    assert seen[0] == seen[1]
    kept = EndMark()
    assert b"".join(gzip.decompress(body) for _, body in seen[0]) == kept.feed(data) + kept.flush()


def test_an_object_ends_with_the_line_that_fills_it(tmp_path: Path) -> None:
    stream = LogStream("stderr", tmp_path, 25)
    stream.feed(b"0123456789\n" * 7, (b"first", b"last"))
    parts = [*map(stream.sealed, stream.sealed_numbers), stream.live()]
    assert [part.name for part in parts] == ["archived/stderr_1.gz", "archived/stderr_2.gz", "stderr.gz"]
    assert parts[2].metadata == {"ember-first": "first", "ember-last": "last", "ember-archived": "2"}
    assert parts[2].version == (2, 77)
    assert [content(part).count(b"\n") for part in parts] == [3, 3, 1]


def test_a_stream_without_newlines_is_cut_all_the_same(tmp_path: Path) -> None:
    stream = LogStream("stdout", tmp_path, 1000)
    for _ in range(50):
        stream.feed(b"\r" * 100_000)
    assert len(stream.sealed_numbers) == 4
    assert len(content(stream.sealed(1))) == 1000 + 1024 * 1024


def test_uploaded_objects_leave_the_disk(tmp_path: Path) -> None:
    stream = LogStream("stdout", tmp_path, 10)
    stream.feed(b"0123456789\n" * 3)
    for number in stream.sealed_numbers:
        stream.forget(number)
    assert [path.name for path in tmp_path.iterdir()] == ["stdout_4.gz"]
    stream.remove()
    assert not list(tmp_path.iterdir())


def test_what_a_full_disk_refuses_is_kept(tmp_path: Path) -> None:
    spool = GzipSpool(tmp_path / "x.gz")
    spool._file.close()
    spool._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - the spool's to close
    text = bytes(range(256)) * 1000
    spool.write(text)
    assert not spool.write_out()
    with spool.snapshot() as body:
        assert gzip.decompress(body.read()) == text
    spool._file.close()
    spool._file = (tmp_path / "x.gz").open("wb", buffering=0)
    assert spool.write_out()
    with spool.snapshot() as body:
        assert gzip.decompress(body.read()) == text


def test_a_snapshot_is_whole_and_stays_while_the_log_grows(tmp_path: Path) -> None:
    spool = GzipSpool(tmp_path / "x.gz")
    first = bytes(range(256)) * 2000
    spool.write(first)
    with spool.snapshot() as body:
        spool.write(b"more" * 100_000)
        assert isinstance(body, io.IOBase)
        assert gzip.decompress(body.read()) == first
        assert body.seek(0, 2) == body.size
        body.seek(-8, 1)
        assert len(body.read(100)) == 8
        body.seek(0)
        assert gzip.decompress(body.read()) == first
    spool.seal()
    with spool.sealed() as body:
        assert gzip.decompress(body.read()) == first + b"more" * 100_000
    assert (tmp_path / "x.gz").stat().st_size == body.size
