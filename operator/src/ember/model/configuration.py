"""EMR's Configuration: a classification with its properties."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from ember.model.base import EmberModel, NotSupportedYet, OnlySupported
from ember.model.contract import NOT_BLANK

SPARK_DEFAULTS = "spark-defaults"

PropertyKey = Annotated[str, Field(min_length=1, max_length=1024, pattern=NOT_BLANK)]
PropertyValue = Annotated[str, Field(max_length=1024)]


class Configuration(EmberModel):
    """Settings of one file of the engine, such as ``spark-defaults``."""

    classification: Annotated[
        str, Field(min_length=1, max_length=1024, pattern=NOT_BLANK), OnlySupported((SPARK_DEFAULTS,))
    ]
    """Which settings these are."""
    properties: Annotated[dict[PropertyKey, PropertyValue], Field(max_length=100)] | None = None
    """The settings."""
    configurations: Annotated[Annotated[list["Configuration"], Field(max_length=100)] | None, NotSupportedYet()] = None
    """Settings nested in this classification."""


Configurations = Annotated[list[Configuration], Field(max_length=100)]


def properties_of(
    configurations: Sequence[Configuration] | None, classification: str = SPARK_DEFAULTS
) -> dict[str, str]:
    """Return the properties of a classification; of a repeated key the last value counts."""
    merged: dict[str, str] = {}
    for configuration in configurations or ():
        if configuration.classification == classification:
            merged |= configuration.properties or {}
    return merged
