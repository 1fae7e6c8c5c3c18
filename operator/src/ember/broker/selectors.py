"""Label and field selectors as Kubernetes writes them in a query string. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Matcher = Callable[[Object], bool]

_KEY = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_VALUE_ONLY = re.compile(_VALUE)
_COMMA = re.compile(r",(?![^(]*\))")

_FIELDS: dict[str, Callable[[Object], str]] = {
    "metadata.name": lambda o: str(o["metadata"].get("name", "")),
    "metadata.namespace": lambda o: str(o["metadata"].get("namespace", "")),
    "status.phase": lambda o: str(o.get("status", {}).get("phase", "")),
}


@dataclass(frozen=True)
class Requirement:
    """One part of a label selector: the value is (or, `negated`, is not) among `values`; None stands for any value."""

    key: str
    values: frozenset[str] | None
    negated: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it. As in Kubernetes, a label that is not there meets `!=` and `notin`."""
        found = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return found != self.negated


def parse_labels(text: str) -> list[Requirement]:
    """Read a label selector. Raises ValueError naming the part that is wrong."""
    return [_requirement(part.strip()) for part in _COMMA.split(text)] if text.strip() else []


def matcher(label_selector: str = "", field_selector: str = "") -> Matcher:
    """A test for objects. Raises ValueError for a selector that is wrong, or asks for a field that is not served."""
    requirements, fields = parse_labels(label_selector), _parse_fields(field_selector)

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(r.matches(labels) for r in requirements) and all(
            (read(obj) == value) != negated for read, value, negated in fields
        )

    return matches


def _requirement(part: str) -> Requirement:
    if found := _SET.fullmatch(part):
        values = frozenset(value.strip() for value in found[3].split(","))
        if all(_VALUE_ONLY.fullmatch(value) for value in values):
            return Requirement(found[1], values, found[2] == "notin")
    elif found := _EQUAL.fullmatch(part):
        return Requirement(found[1], frozenset({found[3]}), found[2] == "!=")
    elif found := _EXISTS.fullmatch(part):
        return Requirement(found[2], None, found[1] == "!")
    raise ValueError(f"label selector: cannot read {part!r}")


def _parse_fields(text: str) -> list[tuple[Callable[[Object], str], str, bool]]:
    fields = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, operator, value = re.fullmatch(r"([^=!]*)(==|=|!=|)(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        if not operator or name not in _FIELDS:
            raise ValueError(f"field selector: {part!r} is not served")
        fields.append((_FIELDS[name], value, operator == "!="))
    return fields
