"""Write what is made from the models: the chart's CRD templates and the reference pages.

``python -m ember.model.crd`` writes them, from the root of the repository; with ``--check`` it only compares, and
fails if a file differs; with ``--print`` it prints the CRDs, for ``kubectl apply --server-side -f -``. This is a tool
of the build, the one module here that touches files.
"""

from pathlib import Path

from ember.model.crd import KINDS, Kind, definition, to_yaml
from ember.model.reference import crds_page, settings_page, states_page

_HEAD = """\
{{- /* Made by `python -m ember.model.crd` from operator/src/ember/model: change the models. */}}
{{- if .Values.crds.install }}
"""
_METADATA = """\
  labels:
    {{- include "ember.labels" . | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
"""


def chart_template(kind: Kind) -> str:
    """Return the chart's template of a CustomResourceDefinition."""
    text = to_yaml(definition(kind))
    if "{{" in text:
        raise ValueError(f"the CRD of {kind.name} holds '{{{{', which Helm would read as a template")
    metadata, spec = text.split("spec:\n", 1)
    return f"{_HEAD}{metadata}{_METADATA}spec:\n{spec}{{{{- end }}}}\n"


def outputs() -> dict[str, str]:
    """Return the text of every made file by its path in the repository."""
    templates = {f"charts/ember/templates/crds/{kind.plural}.yaml": chart_template(kind) for kind in KINDS}
    return {
        **templates,
        "docs/reference/crds.md": crds_page(),
        "docs/reference/settings.md": settings_page(),
        "docs/reference/states.md": states_page(),
    }


def differing(root: Path) -> list[str]:
    """List the files under ``root`` which are not what the models make."""
    return [
        name
        for name, text in outputs().items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    ]


def write(root: Path) -> None:
    """Write every made file under ``root``."""
    for name, text in outputs().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    match arguments:
        case []:
            write(Path())
        case ["--check"]:
            stale = differing(Path())
            if stale:
                print("not up to date, run python -m ember.model.crd:", *stale, sep="\n  ")
            return 1 if stale else 0
        case ["--print"]:
            print("---\n".join(to_yaml(definition(kind)) for kind in KINDS), end="")
        case _:
            print(__doc__)
            return 2
    return 0
