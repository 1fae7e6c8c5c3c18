"""Write what follows from values.yaml and from the operator's settings: values.schema.json and the chart's README.

`python charts/generate.py` writes them; with `--check` it only says whether they are up to date.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ember.model.settings import settings_schema

CHART = Path(__file__).parent / "ember"
SCHEMA_MARK = "@schema "
# Settings that the chart works out by itself: no values.
COMPUTED = {"namespaces", "releaseNamespace"}
# Keys whose children are named by the user, and what a child's name is.
NAMED: dict[tuple[str, ...], str] = {("releases",): "<label>"}

README = """# The Ember chart

Made by `python charts/generate.py` from values.yaml and the operator's settings; change those.

No images are released yet: build them, push them to your registry, and set `image.repository` and
`releases.<label>.image` ([on EKS](../../docs/how-to/install-on-eks.md),
[on kind](../../docs/how-to/install-on-kind.md)).
Where Pod Security is enforced, the release's namespace needs the level "privileged": the log agent reads files of its
node.

```
kubectl create namespace ember-system
kubectl label namespace ember-system pod-security.kubernetes.io/enforce=privileged
helm install ember charts/ember --namespace ember-system --values images.yaml \\
  --set 'tenants[0].namespace=team-a' --set 'tenants[0].create=true' \\
  --set store.endpoint=https://s3.example.com --set store.region=us-east-1
kubectl -n team-a create secret generic ember-store \\
  --from-literal=AWS_ACCESS_KEY_ID=... --from-literal=AWS_SECRET_ACCESS_KEY=...
helm test ember --namespace ember-system
```

Nothing else is needed: no cert-manager, no webhook. The operator makes the broker's CA and certificate by itself and
keeps them in the Secret `ember-broker`; the ConfigMap `ember-broker-ca` has the public half. Both are made at run time
and stay when the release is uninstalled, and so do the tenant namespaces and (with `crds.keep`) the custom resources.

The custom resource definitions belong to one release. Further releases in the cluster, with tenants of their own, set
`crds.install=false`; `helm install --take-ownership` takes over those that a release of another name has left.

## Values

| value | default | meaning |
|---|---|---|
"""


@dataclass(frozen=True)
class Value:
    """One key of values.yaml: its path, its node, the comment above it, and what its comment adds to the schema."""

    path: tuple[str, ...]
    node: yaml.Node
    description: str
    extra: dict[str, Any]

    @property
    def default(self) -> object:
        """Return the value itself."""
        return yaml.safe_load(yaml.serialize(self.node))

    @property
    def children(self) -> bool:
        """Say whether the keys below it are values of their own, and not data."""
        return isinstance(self.node, yaml.MappingNode) and bool(self.node.value) and not self.node.flow_style


def values(text: str) -> Iterator[Value]:
    """Yield each key of the document, parents before their children."""
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    yield from _below(root, (), text.splitlines())


def _below(mapping: yaml.MappingNode, path: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for key, node in mapping.value:
        description, extra = _comment(lines, key.start_mark.line, key.start_mark.column)
        value = Value((*path, key.value), node, description, extra)
        yield value
        # A mapping of resources is Kubernetes' own, not the chart's.
        if value.children and key.value != "resources":
            yield from _below(node, value.path, lines)


def _comment(lines: list[str], line: int, column: int) -> tuple[str, dict[str, Any]]:
    start = line
    while start > 0 and lines[start - 1].startswith(" " * column + "#"):
        start -= 1
    words = [text.strip().removeprefix("#").strip() for text in lines[start:line]]
    extra: dict[str, Any] = {}
    for word in words:
        if word.startswith(SCHEMA_MARK):
            extra |= json.loads(word.removeprefix(SCHEMA_MARK))
    return " ".join(word for word in words if not word.startswith(SCHEMA_MARK)), extra


def schema(all_values: list[Value]) -> dict[str, Any]:
    """Return the JSON schema of the values: the settings' part from the model, the chart's own from the defaults."""
    model = settings_schema()
    settings = {name: part for name, part in model["properties"].items() if name not in COMPUTED}
    own = _object(all_values, ())
    described = {value.path[0]: value.description for value in all_values if len(value.path) == 1}
    for name, part in settings.items():
        own["properties"][name] = {**part, "description": described.get(name, "")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the Ember chart",
        **own,
        "$defs": model.get("$defs", {}),
    }


def _object(all_values: list[Value], path: tuple[str, ...]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for value in all_values:
        if value.path[:-1] == path:
            part = _object(all_values, value.path) if value.children else _leaf(value)
            properties[value.path[-1]] = {"description": value.description, **part, **value.extra}
    if not path:
        properties["global"] = {"type": "object", "description": "Helm's own: values shared with parent charts."}
    if not properties or path[-1:] == ("resources",):
        return {"type": "object"}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _leaf(value: Value) -> dict[str, Any]:
    match value.default:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case list():
            return {"type": "array"}
        case dict():
            return {"type": "object"}
        case _:
            return {"type": "string"}


def readme(all_values: list[Value]) -> str:
    """Return the chart's README: how to install it, and a table of the values."""
    rows = [_row(value) for value in all_values if value.description]
    return README + "".join(rows)


def _row(value: Value) -> str:
    name = [NAMED.get(value.path[:depth], part) for depth, part in enumerate(value.path)]
    data = not value.children or value.path[-1] == "resources"
    default = f"`{json.dumps(value.default)}`" if data else ""
    cells = [f"`{'.'.join(name)}`", default, value.description]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def rendered() -> dict[Path, str]:
    """Return the text of each generated file."""
    all_values = list(values((CHART / "values.yaml").read_text()))
    return {
        CHART / "values.schema.json": json.dumps(schema(all_values), indent=2) + "\n",
        CHART / "README.md": readme(all_values),
    }


def main() -> int:
    """Write the files, or with --check name those that are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    check = parser.parse_args().check
    stale = [path for path, text in rendered().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{'out of date' if check else 'written'}: {path.relative_to(CHART.parent.parent)}")
        if not check:
            path.write_text(rendered()[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
