"""Modules imported beforehand are seen only by a job that imports them, and not in place of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ember.worker import preloaded

SOURCE = str(Path(preloaded.__file__).parents[2])
PREPARE = """
    import sys
    from ember.worker.preloaded import Preloaded
    sys.path.insert(0, "installed")
    prepared = Preloaded()
    prepared.load(["base", "package", "missing", "other"])
    prepared.hide()
    del prepared
    print([name for name in ("base", "package", "package.part", "helper", "other") if name in sys.modules])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "base.py": "print('import base')",
        # As Python 3.11's _decimal, it goes by another name than it is imported by.
        "helper.py": "WHOSE = 'installed'; __name__ = 'renamed'",
        "other.py": "print('import other'); import colorsys",
        "package/__init__.py": "import base, helper; print('import package'); from package import part",
        "package/part.py": "VALUE = 1; from . import __name__ as parent",
    }
    for name, text in files.items():
        path = tmp_path / "installed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(folder: Path, script: str) -> list[str]:
    """What the script says after the preparation."""
    text = textwrap.dedent(PREPARE) + textwrap.dedent(script)
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, cwd=folder, env={"PYTHONPATH": SOURCE}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:4] == ["import base", "import package", "import other", "[]"]
    return lines[4:]


def test_an_import_brings_back_what_it_needs_and_no_more(folder: Path) -> None:
    script = """
        import package, base
        print(package.part.VALUE, package.part is sys.modules["package.part"], package.__spec__.origin[-19:])
        print("helper" in sys.modules, "other" in sys.modules, package.__spec__.loader is package.__loader__)
        import other
        import package.part as part, helper
        print(part is package.part, helper.WHOSE)
    """
    assert run(folder, script) == [
        "1 True package/__init__.py", "True False True", "True installed",
    ]  # fmt: skip


def test_only_what_comes_first_is_brought_back(folder: Path) -> None:
    assert run(folder, "import base, colorsys; print('package' in sys.modules, 'other' in sys.modules)") == [
        "False False"
    ]


def test_a_jobs_own_module_wins(folder: Path) -> None:
    (folder / "own").mkdir()
    (folder / "own" / "package.py").write_text("print('own package')")
    (folder / "own" / "helper.py").write_text("WHOSE = 'own'")
    script = """
        sys.path.insert(0, "own")
        import helper
        print(helper.WHOSE, "other" in sys.modules)
        import package, base, other
        print(package.__file__[-14:], "package.part" in sys.modules)
    """
    assert run(folder, script) == ["own False", "own package", "own/package.py False"]


def test_a_part_of_the_jobs_own_does_not_make_the_rest_run_twice(folder: Path) -> None:
    (folder / "own").mkdir()
    (folder / "own" / "helper.py").write_text("WHOSE = 'own'")
    script = """
        sys.path.insert(0, "own")
        import package, helper
        print(package.part.VALUE, package.helper.WHOSE, helper.WHOSE)
    """
    assert run(folder, script) == ["1 installed own"]


def test_to_ask_for_a_module_changes_nothing(folder: Path) -> None:
    script = """
        import importlib.util
        for name in ("package", "package", "base"):
            print(importlib.util.find_spec(name).origin.rpartition("installed/")[2], name in sys.modules)
        import package.part
        print(package.part.VALUE, package.__spec__.loader is package.__loader__)
    """
    assert run(folder, script) == [
        "package/__init__.py False", "package/__init__.py False", "base.py False", "1 True"
    ]  # fmt: skip


def test_a_module_that_is_gone_is_missing(folder: Path) -> None:
    script = """
        sys.path.remove("installed")
        try:
            import package
        except ModuleNotFoundError as error:
            print(error.name)
    """
    assert run(folder, script) == ["package"]
