"""The sections of docs/performance.md: each is written by its benchmark."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
TITLE = "# Performance\n\nEach section is written by a benchmark, which its last sentence names.\n"


def record(name: str, section: str, origin: str = "") -> None:
    """Replace a section, or add it at the end. `origin`: when, and of which code; by default today, and this code."""
    section = f"{section.strip()} {origin or _origin()}"
    page = PAGE.read_text() if PAGE.exists() else TITLE
    block = f"<!-- begin {name} -->\n{section.strip()}\n<!-- end {name} -->\n"
    pattern = re.compile(f"<!-- begin {name} -->\n.*?<!-- end {name} -->\n", re.DOTALL)
    new = pattern.sub(lambda _: block, page) if pattern.search(page) else f"{page.rstrip()}\n\n{block}"
    PAGE.write_text(new)


def _origin() -> str:
    """When and of which code: a figure without that can be compared with nothing."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(PAGE.parents[1]), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", ":!docs")  # the page and its pictures are being written
    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    return f"Recorded on {datetime.now(UTC).date()}, commit {commit}{' with changes' if changed else ''}."
