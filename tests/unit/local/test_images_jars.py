"""Jars of the Spark image: the same, but for signatures and the length of Hadoop's default settings."""

import runpy
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from local.images import REPOSITORY

MADE = runpy.run_path(str(REPOSITORY / "images/spark/train/jars.py"))
GIVEN = b"""<?xml version="1.0"?>
<!-- what nobody reads -->
<configuration>
  <property><name>
    spaced </name><value>a&lt;b "c"</value><description>Long.</description></property>
  <property><name>empty</name><value></value></property>
  <property><name>fixed</name><value>1
2</value><final>true</final></property>
</configuration>"""


def test_properties_stay_and_descriptions_go() -> None:
    short = MADE["shorten"](GIVEN)
    assert [dict(each.attrib) for each in ElementTree.fromstring(short)] == [  # noqa: S314 - our own
        {"name": "spaced", "value": 'a<b "c"'},
        {"name": "empty"},  # what Hadoop takes for no value at all
        {"name": "fixed", "value": "1\n2", "final": "true"},
    ]
    assert b"Long" not in short


def _written(jar: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(jar, "w") as out:
        for name, data in files.items():
            out.writestr(name, data)
    return jar


def _read(jar: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(jar) as content:
        return {name: content.read(name) for name in content.namelist()}


def test_defaults_are_shortened_and_signatures_removed(tmp_path: Path) -> None:
    stays = {"other.xml": GIVEN, "META-INF/MANIFEST.MF": b"m", "a/META-INF/X.SF": b"no signature", "META-INF/a": b""}
    signed = {"META-INF/DUMMY.SF": b"s", "META-INF/DUMMY.DSA": b"s"}
    jar = _written(tmp_path / "a.jar", {"core-default.xml": GIVEN, **signed, **stays})
    assert MADE["rewrite"](jar)
    assert _read(jar) == {"core-default.xml": MADE["shorten"](GIVEN), **stays}


def test_other_jars_are_left_alone(tmp_path: Path) -> None:
    jar = _written(tmp_path / "a.jar", {"A.class": b"a"})
    before = jar.stat()
    assert not MADE["rewrite"](jar)
    assert jar.stat() == before
