"""What spark-submit's options bring is there, in the driver and in executors."""

import pytest

from tests.e2e.talks import CURIOUS
from tests.support.e2e.talk import Talk


@pytest.mark.submits(CURIOUS)
def test_files_modules_archives_jars_and_packages_are_there(talk: Talk) -> None:
    found = talk.ask("dependencies")
    brought = {"double": 42, "note": "a note, with ümlauts", "archive": "from the archive"}
    assert found["driver"] == brought
    assert found["executor"] == brought
    assert found["resources"] == {"e2e-jar.txt": True, "e2e-package.txt": True}
    assert any("e2e.jar" in jar for jar in found["jars"]), found["jars"]
    assert any("greeting-1.0.jar" in jar for jar in found["jars"]), found["jars"]
