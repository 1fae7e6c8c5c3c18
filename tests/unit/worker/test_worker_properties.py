"""Properties files: whatever goes in comes out, by the rules of java.util.Properties."""

from hypothesis import given
from hypothesis import strategies as st

from ember.worker.properties import dump

_SHORT = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


def load(text: str) -> dict[str, str]:
    """java.util.Properties.load, after its documentation."""
    assert text.isascii()
    found: dict[str, str] = {}
    for line in text.split("\n"):
        line = line.lstrip(" \t\f")
        if not line or line[0] in "#!":
            continue
        end, escaped = 0, False
        while end < len(line) and (escaped or line[end] not in "=: \t\f"):
            escaped = line[end] == "\\" and not escaped
            end += 1
        rest = line[end:].lstrip(" \t\f")
        if rest and rest[0] in "=:":
            rest = rest[1:].lstrip(" \t\f")
        found[_unescape(line[:end])] = _unescape(rest)
    return found


def _unescape(text: str) -> str:
    units, index = bytearray(), 0
    while index < len(text):
        character = text[index]
        if character == "\\":
            index += 1
            character = text[index]
            if character == "u":
                units += int(text[index + 1 : index + 5], 16).to_bytes(2, "big")
                index += 5
                continue
            character = _SHORT.get(character, character)
        units += character.encode("utf-16-be")
        index += 1
    return bytes(units).decode("utf-16-be", "surrogatepass")


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_everything_survives(properties: dict[str, str]) -> None:
    assert load(dump(properties)) == properties


@given(st.dictionaries(st.text(" =:#!\\\n\r\t\fuabü𝄞\u2028", min_size=1), st.text(" =:#!\\\n\r\t\fuabü𝄞\u2028")))
def test_the_characters_with_a_meaning_survive(properties: dict[str, str]) -> None:
    assert load(dump(properties)) == properties


def test_one_line_each() -> None:
    assert dump({"spark.a": "x", "b c": " d#e\n"}) == "spark.a=x\nb\\ c=\\ d#e\\n\n"
