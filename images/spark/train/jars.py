"""Make jars quick to use; what they do stays the same.

Hadoop's default settings lose their descriptions, three quarters of their text: each new Configuration reads them, and
a driver makes several before its first task. Signed jars (Spark's compiler of generated code is one) lose their
signatures, which nobody checks: the JVM would take their classes into no archive, but read and verify each by itself.
"""

import sys
import zipfile
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

DEFAULTS = ("core-default.xml", "mapred-default.xml", "yarn-default.xml")
SIGNATURES = (".SF", ".RSA", ".DSA", ".EC")


def shorten(text: bytes) -> bytes:
    """Return the same properties, with attributes in place of elements, which Hadoop reads as well."""
    short = ElementTree.Element("configuration")
    for given in ElementTree.fromstring(text).iter("property"):  # noqa: S314 - of Hadoop's own jar
        told = {part: given.findtext(part) for part in ("value", "final")}
        # An empty element is no value to Hadoop, an empty attribute would be one; and it trims the names of elements.
        said = {part: words for part, words in told.items() if words}
        ElementTree.SubElement(short, "property", {"name": given.findtext("name", "").strip(), **said})
    return ElementTree.tostring(short)


def rewrite(jar: Path) -> bool:
    """Write a jar anew, if there is something to change in it; returns whether there was."""
    with zipfile.ZipFile(jar) as old:
        names = old.namelist()
        if not any(name in DEFAULTS or _signs(name) for name in names):
            return False
        new = jar.with_suffix(".new")
        with zipfile.ZipFile(new, "w") as out:
            for entry in old.infolist():
                if _signs(entry.filename):
                    continue
                data = old.read(entry)
                if entry.filename in DEFAULTS:
                    # Not compressed: it is read again and again.
                    entry.compress_type, data = zipfile.ZIP_STORED, shorten(data)
                out.writestr(entry, data)
    new.replace(jar)
    return True


def _signs(name: str) -> bool:
    path = PurePosixPath(name)
    return str(path.parent) == "META-INF" and path.suffix in SIGNATURES


if __name__ == "__main__":
    changed = [jar.name for jar in sorted(Path(sys.argv[1]).glob("*.jar")) if rewrite(jar)]
    print("rewritten:", *changed, flush=True)
    if not any(name.startswith("hadoop-client-api-") for name in changed):
        sys.exit("Hadoop's default settings are not where they were.")
