"""Hadoop's default settings in the Spark image: short, and the same."""

import runpy
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from local.images import REPOSITORY

MADE = runpy.run_path(str(REPOSITORY / "images/spark/train/defaults.py"))
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


def test_only_the_defaults_of_a_jar_are_changed(tmp_path: Path) -> None:
    jar = tmp_path / "hadoop-client-api-3.jar"
    with zipfile.ZipFile(jar, "w") as out:
        for name in ("core-default.xml", "other.xml"):
            out.writestr(name, GIVEN)
    MADE["rewrite"](jar)
    with zipfile.ZipFile(jar) as new:
        assert {name: new.read(name) for name in new.namelist()} == {
            "core-default.xml": MADE["shorten"](GIVEN),
            "other.xml": GIVEN,
        }
