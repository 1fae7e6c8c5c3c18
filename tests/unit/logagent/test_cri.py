"""The parser of the container log format."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ember.logagent import cri

TIME = b"2026-11-21T10:00:00.123456789Z"
texts = st.binary(max_size=60).map(lambda data: data.replace(b"\n", b""))
lines = st.one_of(
    st.tuples(st.sampled_from([b"stdout", b"stderr"]), st.sampled_from([b"F", b"P", b"F:tag"]), texts).map(
        lambda line: TIME + b" " + line[0] + b" " + line[1] + b" " + line[2]
    ),
    texts,
    st.sampled_from([b"", TIME, TIME + b" stdout", TIME + b" stdout F", TIME + b" stdout F ", b"\0" * 20]),
)


def whole(chunks: list[bytes]) -> tuple[bytes, bytes]:
    parser = cri.Parser()
    pieces = [piece for chunk in chunks for piece in parser.feed(chunk)] + parser.flush()
    seen = cri.content(pieces)
    return seen.stdout, seen.stderr


@given(st.lists(lines, max_size=20), st.booleans(), st.lists(st.integers(0, 2000), max_size=30))
def test_any_chunking_gives_the_same_text(some: list[bytes], ended: bool, cuts: list[int]) -> None:
    data = b"\n".join(some) + (b"\n" if ended else b"")
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    chunks = [data[start:stop] for start, stop in pairwise(places)]
    assert whole(chunks) == whole([data])


@given(st.lists(st.tuples(st.booleans(), st.booleans(), texts), max_size=20))
def test_each_byte_goes_to_its_stream(some: list[tuple[bool, bool, bytes]]) -> None:
    data = b"".join(
        TIME + (b" stdout " if out else b" stderr ") + (b"F " if full else b"P ") + text + b"\n"
        for out, full, text in some
    )
    out = b"".join(text + (b"\n" if full else b"") for is_out, full, text in some if is_out)
    err = b"".join(text + (b"\n" if full else b"") for is_out, full, text in some if not is_out)
    assert whole([data]) == (out, err)


@pytest.mark.parametrize("chunk", [1000, 7_001, 1_000_000])
def test_a_line_of_megabytes_passes_through_in_pieces(chunk: int) -> None:
    text = bytes(range(32, 127)) * 10_000
    data = TIME + b" stderr F " + text + b"\n" + TIME + b" stdout F after\n"
    parser = cri.Parser()
    pieces, longest = [], 0
    for start in range(0, len(data), chunk):
        pieces += parser.feed(data[start : start + chunk])
        longest = max(longest, len(parser._rest))
    assert longest <= 256 * 1024
    assert cri.content(pieces)[:2] == (b"after\n", text + b"\n")


def test_a_file_without_newlines_is_kept_as_it_is() -> None:
    assert whole([b"\0" * 300_000, b"\0" * 300_000]) == (b"", b"\0" * 600_000)


def test_lines_out_of_format_are_kept_in_stderr() -> None:
    good = TIME + b" stdout F good\n"
    assert whole([b"torn li\n" + good + b'{"log":"x"}\n']) == (b"good\n", b'torn li\n{"log":"x"}\n')


def test_the_times_of_the_first_and_last_lines_are_told() -> None:
    times = [b"2026-11-21T10:00:0%d.000000001+01:00" % second for second in range(3)]
    data = b"".join(time + b" stdout F x\n" for time in times) + times[0] + b" stderr P y\n"
    seen = cri.content(cri.Parser().feed(data))
    assert seen.times == {"stdout": (times[0], times[2]), "stderr": (times[0], times[0])}


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (b"1970-01-01T00:00:01.000000002Z", 1_000_000_002),
        (b"1970-01-01T01:00:01.5+01:00", 1_500_000_000),
        (b"1970-01-01T00:00:01Z", 1_000_000_000),
        (b"", 0),
        (b"nonsense", 0),
        (b"\xff.\xff", 0),
    ],
)
def test_times_are_compared_in_nanoseconds(time: bytes, expected: int) -> None:
    assert cri.instant(time) == expected


def test_what_is_known_already_is_left_out() -> None:
    pieces = [(b"1970-01-01T00:00:0%dZ" % second, b"stdout", b"F", b"%d" % second) for second in range(1, 5)]
    assert [piece[3] for piece in cri.after(pieces, {b"stdout": 2_000_000_000})] == [b"3", b"4"]
    assert len(cri.after(pieces, {b"stderr": 2_000_000_000})) == 4
