"""Make Hadoop's default settings short: the same properties without their descriptions, and not compressed.

Each new Configuration reads these files, and a driver makes several before its first task; three quarters of their text
are descriptions, which Hadoop skips word by word.
"""

import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

NAMES = ("core-default.xml", "mapred-default.xml", "yarn-default.xml")


def shorten(text: bytes) -> bytes:
    """Return the same properties, with attributes in place of elements, which Hadoop reads as well."""
    short = ElementTree.Element("configuration")
    for given in ElementTree.fromstring(text).iter("property"):  # noqa: S314 - of Hadoop's own jar
        told = {part: given.findtext(part) for part in ("value", "final")}
        # An empty element is no value to Hadoop, an empty attribute would be one; and it trims the names of elements.
        said = {part: words for part, words in told.items() if words}
        ElementTree.SubElement(short, "property", {"name": given.findtext("name", "").strip(), **said})
    return ElementTree.tostring(short)


def rewrite(jar: Path) -> None:
    """Exchange the files in their jar."""
    new = jar.with_suffix(".new")
    with zipfile.ZipFile(jar) as old, zipfile.ZipFile(new, "w") as out:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename in NAMES:
                entry.compress_type, data = zipfile.ZIP_STORED, shorten(data)
            out.writestr(entry, data)
    new.replace(jar)


if __name__ == "__main__":
    (found,) = Path(sys.argv[1]).glob("hadoop-client-api-*.jar")
    rewrite(found)
