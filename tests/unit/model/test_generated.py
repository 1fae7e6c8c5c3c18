"""What is generated from the models."""

from pathlib import Path
from typing import Any

import pytest

from ember.model.crd import APPLICATION, JOB_RUN, KINDS, Kind, definition, object_schema
from ember.model.generate import chart_template, differing, main, outputs, write

ROOT = Path(__file__).parents[3]


def test_generated_files_are_up_to_date() -> None:
    assert differing(ROOT) == [], "run: python -m ember.model.crd"


def test_the_command_writes_checks_and_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--check"]) == 1
    assert main([]) == 0
    assert main(["--check"]) == 0
    (tmp_path / "docs/reference/crds.md").write_text("stale")
    assert differing(tmp_path) == ["docs/reference/crds.md"]
    write(tmp_path)
    capsys.readouterr()
    assert main(["--print"]) == 0
    assert capsys.readouterr().out.count("kind: CustomResourceDefinition") == 2
    assert main(["--unknown"]) == 2


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_schemas_hold_only_what_kubernetes_takes(kind: Kind) -> None:
    for path, node in nodes(object_schema(kind)):
        assert isinstance(node.get("type"), str), path
        forbidden = {"$ref", "$defs", "anyOf", "allOf", "oneOf", "not", "title", "const", "patternProperties"}
        assert not forbidden & set(node), path
        assert not [key for key in node if key.startswith("x-ember")], path
        assert not {"properties", "additionalProperties"} <= set(node), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_everything_that_grows_in_a_spec_has_a_bound(kind: Kind) -> None:
    for path, node in nodes(object_schema(kind)["properties"]["spec"]):
        assert node["type"] != "array" or "maxItems" in node, path
        assert "additionalProperties" not in node or "maxProperties" in node, path
        bounded = "maxLength" in node or "enum" in node or path.endswith("entryPointArguments[]")
        assert node["type"] != "string" or bounded, path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_status_has_no_defaults(kind: Kind) -> None:
    assert not [path for path, node in nodes(object_schema(kind)["properties"]["status"]) if "default" in node]


def test_configurations_within_configurations_end() -> None:
    spec = object_schema(APPLICATION)["properties"]["spec"]
    first = spec["properties"]["runtimeConfiguration"]["items"]
    second = first["properties"]["configurations"]["items"]
    assert "configurations" not in second["properties"]


def test_the_chart_can_leave_the_crds_out() -> None:
    text = chart_template(JOB_RUN)
    assert text.splitlines()[1] == "{{- if .Values.crds.install }}"
    assert text.endswith("{{- end }}\n")
    assert "helm.sh/resource-policy: keep" in text
    assert len(outputs()) == 5


def test_columns_read_fields_that_exist() -> None:
    for kind in KINDS:
        schema = object_schema(kind)
        for column in definition(kind)["spec"]["versions"][0]["additionalPrinterColumns"]:
            if column["name"] == "Age":
                continue
            node = schema
            for name in column["jsonPath"].removeprefix(".").split("."):
                node = node["properties"][name]
            assert node["type"] == column["type"]


def nodes(node: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """All nodes of a schema with their paths."""
    found = [(path, node)]
    for name, part in node.get("properties", {}).items():
        found += nodes(part, f"{path}.{name}")
    if "items" in node:
        found += nodes(node["items"], f"{path}[]")
    if "additionalProperties" in node:
        found += nodes(node["additionalProperties"], f"{path}.*")
    return found
