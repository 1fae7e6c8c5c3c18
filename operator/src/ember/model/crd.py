"""The CustomResourceDefinitions, made from the models.

``python -m ember.model.crd`` writes the chart's CRD templates and the reference pages (see ``ember.model.generate``);
with ``--print`` it prints the CRDs instead.
"""

import sys
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from ember.model import labels
from ember.model.application import EMRApplicationSpec, EMRApplicationStatus
from ember.model.jobrun import JobRunSpec, JobRunStatus
from ember.model.schema import VALIDATIONS, Schema, expand, structural


@dataclass(frozen=True, slots=True)
class Kind:
    """A custom resource: its models, names, columns, and the rules which hold for its whole spec."""

    name: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    short_names: tuple[str, ...]
    columns: tuple[dict[str, Any], ...]
    spec_rules: tuple[Schema, ...] = ()

    @property
    def plural(self) -> str:
        """The name in URLs."""
        return f"{self.name.lower()}s"


def _column(name: str, path: str, kind: str = "string", wide: bool = False) -> dict[str, Any]:
    """Return a column of ``kubectl get``; a wide one is shown with ``-o wide`` only."""
    return {"name": name, "type": kind, "jsonPath": path} | ({"priority": 1} if wide else {})


_AGE = _column("Age", ".metadata.creationTimestamp", "date")
_DETAILS = _column("Details", ".status.stateDetails", wide=True)


def _immutable(field: str, message: str) -> Schema:
    both_set = f"has(self.{field}) && has(oldSelf.{field})"
    rule = f"!({both_set}) || self.{field} == oldSelf.{field}"
    return {"rule": rule, "message": message, "fieldPath": f".{field}", "reason": "FieldValueForbidden"}


APPLICATION = Kind(
    name="EMRApplication",
    description="A Spark environment with a hard ceiling, in which job runs run: EMR Serverless' application.",
    spec=EMRApplicationSpec,
    status=EMRApplicationStatus,
    short_names=("emrapp", "emrapps"),
    columns=(
        _column("State", ".status.state"),
        _column("Release", ".spec.releaseLabel"),
        _column("Workers", ".status.readyWorkers", "integer"),
        _AGE,
        _column("Active", ".status.runs.active", "integer", wide=True),
        _column("Queued", ".status.runs.queued", "integer", wide=True),
        _DETAILS,
    ),
    # EMR's UpdateApplication takes neither.
    spec_rules=(
        _immutable("type", "type cannot be changed: make another application"),
        _immutable("name", "name cannot be changed: make another application"),
    ),
)

JOB_RUN = Kind(
    name="JobRun",
    description="One run of a Spark job on an EMRApplication: EMR Serverless' job run.",
    spec=JobRunSpec,
    status=JobRunStatus,
    short_names=("jr",),
    columns=(
        _column("State", ".status.state"),
        _column("Attempt", ".status.attempt", "integer"),
        _column("Duration", ".status.duration"),
        _AGE,
        _column("Application", ".spec.applicationRef.name", wide=True),
        _DETAILS,
    ),
    spec_rules=(
        {
            "rule": "self == oldSelf",
            "message": "the spec of a JobRun cannot be changed: make another run",
            "reason": "FieldValueForbidden",
        },
    ),
)

KINDS = (APPLICATION, JOB_RUN)


def object_schema(kind: Kind) -> Schema:
    """Return the structural schema of the whole object."""
    spec = structural(expand(kind.spec))
    spec[VALIDATIONS] = [*spec.get(VALIDATIONS, []), *kind.spec_rules]
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            # No defaults: the operator alone writes the status.
            "status": structural(expand(kind.status), defaults=False),
        },
    }


def definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{labels.GROUP}"},
        "spec": {
            "group": labels.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": list(kind.short_names),
                "categories": ["ember"],
            },
            "versions": [
                {
                    "name": labels.VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": object_schema(kind)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(kind.columns),
                }
            ],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes lists indented and never by reference."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def to_yaml(document: dict[str, Any]) -> str:
    """Write YAML in the order of the keys, with lines that can be read."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    # Only the command needs it, and it needs this module.
    from ember.model.generate import main

    sys.exit(main(sys.argv[1:]))
