"""The sections of docs/performance.md: each is written by its benchmark."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
TITLE = "# Performance\n\nEach section is written by a benchmark, which its last sentence names.\n"


def record(name: str, section: str) -> None:
    """Replace a section, or add it at the end."""
    page = PAGE.read_text() if PAGE.exists() else TITLE
    block = f"<!-- begin {name} -->\n{section.strip()}\n<!-- end {name} -->\n"
    pattern = re.compile(f"<!-- begin {name} -->\n.*?<!-- end {name} -->\n", re.DOTALL)
    new = pattern.sub(lambda _: block, page) if pattern.search(page) else f"{page.rstrip()}\n\n{block}"
    PAGE.write_text(new)
