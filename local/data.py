"""The demo's data: real texts, TPC-H tables as Parquet, and the scripts of the examples."""

import hashlib
import shutil
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from examples.texts import texts
from local import console
from local.paths import cache_dir
from local.shell import run

BUCKET = "demo"
PREFIXES = ("input/", "scripts/", "tpch/")
JOBS = Path(__file__).parents[1] / "examples" / "jobs"
SCALE = "0.1"
TABLES = ("customer", "lineitem", "orders")


@dataclass(frozen=True)
class Item:
    """One object of the bucket: where it goes, and what is in it (or the file that holds it)."""

    key: str
    content: bytes | Path

    def read(self) -> bytes:
        """Return the content."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


class Data:
    """Everything the bucket `demo` has before the first run."""

    @cached_property
    def key(self) -> str:
        """A hash of all that it is made of; cheap, so that an unchanged store is left alone."""
        digest = hashlib.sha256(f"{_tables_directory().name}\0".encode())
        for item in [*self._texts(), *self._scripts()]:
            digest.update(f"{item.key}\0".encode() + hashlib.sha256(item.read()).digest())
        return digest.hexdigest()[:16]

    def upload(self, client: Any) -> None:
        """Put what the bucket lacks, or has otherwise; take away what it had before."""
        items = [*self._texts(), *self._scripts(), *self._tables()]
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        there = {found["Key"]: found["ETag"].strip('"') for page in pages for found in page.get("Contents", [])}

        def put(item: Item) -> None:
            content = item.read()
            if there.get(item.key) != hashlib.md5(content, usedforsecurity=False).hexdigest():
                client.put_object(Bucket=BUCKET, Key=item.key, Body=content)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, items))
        for key in there.keys() - {item.key for item in items}:
            if key.startswith(PREFIXES):
                client.delete_object(Bucket=BUCKET, Key=key)
        keys = {item.key for item in items}
        for name in there:
            if name.startswith("input/") and name not in keys:  # a job reads all that is there
                client.delete_object(Bucket=BUCKET, Key=name)

    def _texts(self) -> Iterable[Item]:
        return [Item(f"input/{name}", text.encode()) for name, text in texts().items()]

    def _scripts(self) -> Iterable[Item]:
        return [Item(f"scripts/{path.name}", path) for path in sorted(JOBS.glob("*.py"))]

    def _tables(self) -> Iterable[Item]:
        directory = _tables_directory()
        if not directory.is_dir():
            with console.step(f"made TPC-H's tables, scale factor {SCALE}"):
                _generate(directory)
        return [Item(f"tpch/{table}.parquet", directory / f"{table}.parquet") for table in TABLES]


def _tables_directory() -> Path:
    return cache_dir() / "data" / f"tpch-{SCALE}-{version('tpchgen-cli')}"


def _generate(directory: Path) -> None:
    """Make the tables; the directory appears whole or not at all."""
    scratch = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    program = Path(sys.executable).with_name("tpchgen-cli")
    tables = f"--tables={','.join(TABLES)}"
    run([program, "parquet", f"--scale-factor={SCALE}", tables, f"--output-dir={scratch}"], timeout=300)
    scratch.rename(directory)
