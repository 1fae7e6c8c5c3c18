"""What every model shares: EMR's field names, strictness, and the marks of fields which have no effect yet.

Data only: nothing in ``ember.model`` reads a clock, a file, the network, or logs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler, PlainSerializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

UNSUPPORTED_KEY = "x-ember-unsupported"
"""Key which the marks leave in a JSON schema; ``crd`` turns it into a CEL rule and removes it."""

MAX_TEXT = 256
"""EMR's limit of ``stateDetails``, in characters."""

# EMR writes these words in its own way: memoryGBHour, vCPUHour; and ours: memoryMiB.
_WORDS = {"vcpu": "vCPU", "gb": "GB", "mib": "MiB", "gib": "GiB"}


def emr_alias(name: str) -> str:
    """Turn a Python field name into EMR's camelCase: ``vcpu_hour`` -> ``vCPUHour``, ``log_uri`` -> ``logUri``."""
    first, *rest = name.split("_")
    return _WORDS.get(first, first) + "".join(_WORDS.get(word, word.capitalize()) for word in rest)


class EmberModel(BaseModel):
    """Base of all models: immutable, camelCase outside, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=emr_alias,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    def to_manifest(self) -> dict[str, Any]:
        """Return plain JSON data with the field names of the manifest; fields which are not set are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(EmberModel):
    """Base of what the operator writes: an older operator must still read what a newer one wrote."""

    model_config = ConfigDict(extra="ignore")

    def to_manifest(self) -> dict[str, Any]:
        """Return plain JSON data; fields which are not set, empty texts and empty lists are left out."""
        return {name: value for name, value in super().to_manifest().items() if value not in ("", [])}

    def updated(self, **changes: object) -> Self:
        """Return a copy with these fields (by their Python names) changed and validated, unlike ``model_copy``."""
        return type(self).model_validate({**dict(self), **changes})


def _cut(text: object) -> object:
    """Cut a text to EMR's limit: a long error message must not keep a state from being written."""
    return text[: MAX_TEXT - 1] + "…" if isinstance(text, str) and len(text) > MAX_TEXT else text


# Cut when written too: `model_copy` does not validate.
CutText = Annotated[str, BeforeValidator(_cut), PlainSerializer(_cut, return_type=str)]
"""A sentence for people; longer ones are cut to 256 characters."""


@dataclass(frozen=True, slots=True)
class NotSupportedYet:
    """Mark of a field of EMR's contract which has no effect yet: setting it is refused, never ignored."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Leave the mark in the JSON schema, for the CRD generator."""
        return {**handler(schema), UNSUPPORTED_KEY: {"values": []}}

    def refuses(self, value: object) -> str | None:
        """Say why the value is refused, or None."""
        return None if value is None else "is not supported yet"


@dataclass(frozen=True, slots=True)
class OnlySupported:
    """Mark of a field of which only some of the contract's values have an effect yet."""

    values: tuple[str | int | bool, ...]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Leave the mark in the JSON schema, for the CRD generator."""
        return {**handler(schema), UNSUPPORTED_KEY: {"values": list(self.values)}}

    def refuses(self, value: object) -> str | None:
        """Say why the value is refused, or None."""
        return None if value is None or value in self.values else self.reason

    @property
    def reason(self) -> str:
        """The message's end, the same in the CRD and here."""
        return f"other than {', '.join(as_text(value) for value in self.values)} is not supported yet"


def as_text(value: str | int | bool) -> str:
    """Write a value as YAML and CEL do (``true``, not ``True``)."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def unsupported(model: BaseModel, path: str = "spec") -> list[str]:
    """List every set field which has no effect yet, as ``spec.x.y is not supported yet``.

    The CRD refuses the same fields; this is the second lock, for objects stored under an older CRD.
    """
    return list(_refusals(model, path))


def _refusals(model: BaseModel, path: str) -> Iterator[str]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        where = f"{path}.{field.alias or name}"
        marks = [mark for mark in field.metadata if isinstance(mark, NotSupportedYet | OnlySupported)]
        reasons = [reason for mark in marks if (reason := mark.refuses(value))]
        if reasons:
            yield f"{where} {reasons[0]}"
        else:
            yield from _refusals_within(value, where)


def _refusals_within(value: object, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from _refusals(value, path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _refusals_within(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _refusals_within(item, f"{path}[{index}]")
