"""The reference pages, made from the models: fields, settings, states."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ember.model.base import UNSUPPORTED_KEY, as_text
from ember.model.crd import KINDS, Kind
from ember.model.schema import Schema, expand
from ember.model.settings import Settings
from ember.model.states import APPLICATION_TRANSITIONS, JOB_RUN_TRANSITIONS, MEANING, State, mermaid

_MADE = "<!-- Made by `python -m ember.model.crd` from operator/src/ember/model: change the models. -->\n"


class _Row(NamedTuple):
    """One line of a table of fields."""

    path: str
    type: str
    default: str
    limits: str
    meaning: str
    supported: str


def crds_page() -> str:
    """Return docs/reference/crds.md."""
    intro = (
        "# Custom resources\n\n"
        "All fields of EMR Serverless' CreateApplication and StartJobRun exist. One that has no effect yet is refused\n"
        "when it is set, never ignored: the column *supported* says so.\n"
    )
    return _MADE + intro + "".join(f"\n{_kind_section(kind)}" for kind in KINDS)


def _kind_section(kind: Kind) -> str:
    short = ", ".join(f"`{name}`" for name in kind.short_names)
    spec = list(_rows(expand(kind.spec), "spec"))
    status = list(_rows(expand(kind.status), "status"))
    return (
        f"## {kind.name}\n\n{kind.description}\n\nShort for `kubectl get`: {short}.\n\n"
        f"### spec\n\n{_table(('field', 'type', 'default', 'limits', 'meaning', 'supported'), spec)}\n"
        f"### status\n\n{_table(('field', 'type', 'meaning'), [(row.path, row.type, row.meaning) for row in status])}"
    )


def settings_page() -> str:
    """Return docs/reference/settings.md."""
    rows = [(row.path, row.type, row.default, row.limits, row.meaning) for row in _rows(expand(Settings), "")]
    intro = (
        "# Settings of the operator\n\n"
        "Set them by the chart's values of the same names; the chart writes them into the ConfigMap which operator\n"
        "and log agents read at start. An unknown key, or a value of the wrong type, is refused.\n\n"
    )
    return _MADE + intro + _table(("setting", "type", "default", "limits", "meaning"), rows)


def states_page() -> str:
    """Return docs/reference/states.md."""
    return (
        f"{_MADE}# States\n\nStates of EMR Serverless. A run only moves forward; it may skip states, for the operator\n"
        "records what it sees.\n"
        f"\n## EMRApplication\n\n{_states_section(APPLICATION_TRANSITIONS)}"
        f"\n## JobRun\n\n{_states_section(JOB_RUN_TRANSITIONS)}"
    )


def _states_section(transitions: Mapping[State, frozenset[State]]) -> str:
    rows = [
        (state, MEANING[state], ", ".join(other for other in transitions if other in following) or "(end)")
        for state, following in transitions.items()
    ]
    return f"```mermaid\n{mermaid(transitions)}\n```\n\n{_table(('state', 'meaning', 'may become'), rows)}"


def _rows(schema: Schema, path: str) -> Iterator[_Row]:
    for name, part in schema["properties"].items():
        where = f"{path}.{name}" if path else name
        required = name in schema.get("required", ())
        yield _row(where, part, required)
        if part.get(UNSUPPORTED_KEY, {}).get("values") != []:
            yield from _rows_below(part, where)


def _rows_below(part: Schema, path: str) -> Iterator[_Row]:
    if "properties" in part:
        yield from _rows(part, path)
    elif "properties" in part.get("items", {}):
        yield from _rows(part["items"], f"{path}[]")
    elif "properties" in (part.get("additionalProperties") or {}):
        yield from _rows(part["additionalProperties"], f"{path}.<key>")


def _row(path: str, part: Schema, required: bool) -> _Row:
    default = "(required)" if required else _default(part)
    return _Row(f"`{path}`", _type(part), default, _limits(part), part.get("description", ""), _supported(part))


def _type(part: Schema) -> str:
    if part["type"] == "array":
        return f"list of {_type(part['items'])}"
    if part["type"] == "object" and "properties" not in part:
        values = part.get("additionalProperties")
        return f"map to {_type(values)}" if values else "object"
    if part.get("format") == "date-time":
        return "time"
    return str(part["type"])


def _default(part: Schema) -> str:
    if "default" not in part:
        return ""
    value = part["default"]
    if isinstance(value, dict):
        return "(see below)" if value or "properties" in part else "{}"
    return f"`{as_text(value)}`" if value not in ("", []) else ""


def _limits(part: Schema) -> str:
    limits = []
    if "enum" in part:
        limits.append(", ".join(f"`{value}`" for value in part["enum"]))
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " keys"),
    ):
        limits += _range(part.get(low), part.get(high), unit)
    if "pattern" in part and part["pattern"] != r"\S":
        limits.append(f"`{part['pattern']}`")
    return "; ".join(limits)


def _range(low: int | None, high: int | None, unit: str) -> list[str]:
    if high is None:
        return [] if low is None or (unit and low <= 1) else [f"at least {low}{unit}"]
    return [f"{low}-{high}{unit}" if low is not None else f"at most {high}{unit}"]


def _supported(part: Schema) -> str:
    mark = part.get(UNSUPPORTED_KEY)
    if mark is None:
        return "yes"
    return "only " + ", ".join(f"`{as_text(value)}`" for value in mark["values"]) if mark["values"] else "not yet"


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
