"""The documentation says what is so: links, commands, manifests, fields, settings, metrics, reasons."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ember.model.application import EMRApplication
from ember.model.base import unsupported
from ember.model.crd import KINDS, object_schema
from ember.model.jobrun import JobRun
from ember.model.settings import Settings
from ember.plan.spark import plan_run

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "reference"),
        ROOT / "examples" / "README.md",
    ]
)
HOW_TO = [page for page in PAGES if page.parent.name == "how-to"]
MODELS: dict[str, type[EMRApplication] | type[JobRun]] = {"EMRApplication": EMRApplication, "JobRun": JobRun}
SETTINGS = Settings.model_validate(
    {"releaseNamespace": "ember-system", "releases": {"spark-4.1.2": {"image": "spark", "sparkVersion": "4.1.2"}}}
)

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_TREES = ("operator/", "docs/", "tests/", "local/", "charts/", "examples/", "images/")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_page
def test_every_make_target_exists(page: Path) -> None:
    commands = [code for code in _CODE.findall(prose(page)) if "make " in code]
    commands += [line for _, block in blocks(page) for line in block.splitlines()]
    for command in commands:
        for target in re.findall(r"(?:^|[\s(`])make (?:-s )?([a-z][a-z-]*)", command.partition(" #")[0]):
            assert target in make_targets(), command


@each_page
def test_manifests_are_taken_as_they_stand(page: Path) -> None:
    for manifest in manifests(page):
        parsed = MODELS[manifest["kind"]].model_validate(manifest)
        assert not unsupported(parsed.spec), manifest
        if isinstance(parsed, JobRun):
            assert plan_run(parsed.spec, application_of(parsed).spec, SETTINGS)


@each_page
def test_named_fields_exist(page: Path) -> None:
    for code in inline(page):
        if re.fullmatch(r"(spec|status)(\.[A-Za-z]+)+", code):
            assert any(has_field(object_schema(kind), code.split(".")) for kind in KINDS), code


@each_page
def test_named_settings_and_values_exist(page: Path) -> None:
    groups = {name for name, value in values().items() if isinstance(value, dict)}
    for code in inline(page):
        if re.fullmatch(r"[a-z][A-Za-z]*(\.[a-z][A-Za-z]*)+", code) and code.partition(".")[0] in groups - {"metrics"}:
            found: Any = values()
            for part in code.split("."):
                assert part in found, code
                found = found[part]


@each_page
def test_named_metrics_exist(page: Path) -> None:
    declared = set(re.findall(r"`(ember_\w+)`", (ROOT / "docs/reference/metrics.md").read_text()))
    for code in inline(page):
        if re.fullmatch(r"ember_\w+", code):
            assert code in declared, code


@each_page
def test_named_files_exist(page: Path) -> None:
    for code in inline(page):
        if code.startswith(_TREES) and re.fullmatch(r"[\w./-]+", code):
            assert (ROOT / code).exists(), code


@pytest.mark.parametrize("source", ["plan/jobrun.py", "plan/jobrunstatus.py", "handlers/carry_out.py"])
def test_every_reason_of_a_run_is_explained(source: str) -> None:
    text = (ROOT / "operator/src/ember" / source).read_text()
    written = re.findall(r'(?:_failed\(|_problem\(uid, |Verdict\([^()]*?, )"([A-Z]\w+)"', text)
    written += re.findall(r'"([A-Z][a-z]+[A-Z]\w+)"', text)
    explained = (ROOT / "docs/how-to/troubleshoot.md").read_text()
    assert written
    assert [reason for reason in sorted({*written} - {"JobRun"}) if f"`{reason}`" not in explained] == []


def test_designs_keep_the_template_and_are_short() -> None:
    designs = sorted((ROOT / "docs/designs").glob("*.md"))
    headings = re.findall(r"^## .*", designs[0].read_text(), re.MULTILINE)
    for number, design in enumerate(designs):
        text = design.read_text()
        assert design.name.startswith(f"{number:04d}-")
        if number:
            assert [heading.partition(" (")[0] for heading in headings] == re.findall(r"^## .*", text, re.MULTILINE)
            assert len(text.splitlines()) <= 60
            assert design.name in (ROOT / "docs/index.md").read_text()


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.name)
def test_the_index_leads_to_each_page(page: Path) -> None:
    assert f"how-to/{page.name}" in (ROOT / "docs/index.md").read_text()


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


def blocks(page: Path) -> list[tuple[str, str]]:
    return _FENCE.findall(page.read_text())


def inline(page: Path) -> list[str]:
    return _CODE.findall(prose(page))


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "charts/ember/values.yaml").read_text())
    return found


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def manifests(page: Path) -> Iterator[dict[str, Any]]:
    for language, block in blocks(page):
        if language == "yaml":
            yield from (found for found in yaml.safe_load_all(block) if found.get("kind") in MODELS)


def application_of(run: JobRun) -> EMRApplication:
    """The one that a page shows under that name: all of them are in the documentation or the examples."""
    shown = [found for page in PAGES for found in manifests(page)]
    name = run.spec.application_ref.name
    manifest = next(found for found in shown if found["kind"] != "JobRun" and found["metadata"]["name"] == name)
    return EMRApplication.model_validate(manifest)


def has_field(schema: dict[str, Any], path: list[str]) -> bool:
    if not path:
        return True
    inner = schema.get("items", schema)
    below = inner.get("properties", {}).get(path[0]) or inner.get("additionalProperties")
    return bool(below) and has_field(below, path[1:])
