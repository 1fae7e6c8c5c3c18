"""java.util.Properties files, written so that every string comes back as it was."""

from collections.abc import Mapping

_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
_KEY_SPECIAL = "=: #!"


def dump(properties: Mapping[str, str]) -> str:
    """Write properties in the file format of java.util.Properties, in pure ASCII (it reads Latin-1 by default)."""
    return "".join(f"{_escape(key, key=True)}={_escape(value, key=False)}\n" for key, value in properties.items())


def _escape(text: str, *, key: bool) -> str:
    escaped = []
    for index, character in enumerate(text):
        if character in _SHORT:
            escaped.append(_SHORT[character])
        elif (key and character in _KEY_SPECIAL) or (character == " " and index == 0):
            # A leading space of a value would be skipped; in a key a separator would end it.
            escaped.append("\\" + character)
        elif " " <= character <= "~":
            escaped.append(character)
        else:
            escaped.extend(f"\\u{unit:04x}" for unit in _utf16(character))
    return "".join(escaped)


def _utf16(character: str) -> list[int]:
    """The UTF-16 units of a character: Java's strings are made of them (lone surrogates pass through)."""
    data = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[index : index + 2], "big") for index in range(0, len(data), 2)]
