"""The same scripts in a cold and in a warm driver: what comes out must be the same."""

import importlib.util
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support import worker_pod
from tests.support.worker_pod import END_MARK, Pod, driver, fake_broker

pytestmark = pytest.mark.spark
SCRIPTS = Path(__file__).parent / "conformance"


@dataclass(frozen=True)
class Case:
    """A script (or a class), what it is given, and how it must end in both."""

    arguments: tuple[str, ...] = ()
    code: int = 0
    before: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)
    jvm_options: tuple[str, ...] = ()


SETTINGS = {
    "spark.master": "local[2]",
    "spark.sql.shuffle.partitions": "3",
    "spark.driver.cores": "2",
    "spark.hadoop.fs.s3a.own": "own",
    "spark.odd": " spaces = and \\ ü ",
}
STATIC = {"spark.sql.cache.serializer": "no.such.Serializer"}
START_ONLY = {"spark.kubernetes.driverEnv.GREETING": "hullo"}
CASES = {
    "surroundings.py": Case(
        ("a b", "", "ü", "--conf"), properties=SETTINGS | STATIC, jvm_options=("-Down.property=x",)
    ),
    "work.py": Case(("{folder}/six.zip",), properties=SETTINGS),
    "brought.py": Case(
        code=3,
        before=(
            *("--py-files", "{folder}/six.zip,{folder}/brought_module.py", "--files", "{folder}/extra.txt"),
            *("--jars", "{folder}/brought.jar", "--archives", "{folder}/archive.tar.gz#archive"),
        ),
    ),
    "twice.py": Case(properties={"spark.log.level": "ERROR"}),
    "failing.py": Case(code=1),
    "java_exit.py": Case(code=7),
    "leaving.py": Case(code=1, properties={"spark.python.worker.reuse": "false"}),
    "start_only.py": Case(
        properties=START_ONLY,
        jvm_options=(
            *("-Duser.timezone=Asia/Tokyo", "-Xss2m", "-Down.property=x"),
            "-Dlog4j2.configurationFile={folder}/start_only/log4j2.properties",
        ),
    ),
    "job.jar": Case(
        ("a b", ""), 1, ("--class", "Job"), {"spark.own": "mine"}, ("-Down.property=x",)
    ),
    "job.jar that exits": Case(("exit",), 5, ("--class", "Job"), {"spark.own": "mine"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the cases bring with them."""
    folder = tmp_path_factory.mktemp("brought")
    with zipfile.ZipFile(folder / "six.zip", "w") as archive:
        installed = importlib.util.find_spec("six")
        assert installed and installed.origin
        archive.writestr("six.py", f"{Path(installed.origin).read_text()}\nOWN = 'the own six'\n")
    with zipfile.ZipFile(folder / "brought.jar", "w") as archive:
        archive.writestr("brought.txt", "x")
    (folder / "brought_module.py").write_text("NAME = __name__")
    (folder / "extra.txt").write_text("extra")
    with tarfile.open(folder / "archive.tar.gz", "w:gz") as tar:
        tar.add(folder / "extra.txt", "inside.txt")
    for script in SCRIPTS.glob("*.py"):
        (folder / script.stem).mkdir()
        shutil.copy(script, folder / script.stem)
    shutil.copy(SCRIPTS / "log4j2.properties", folder / "start_only")
    classes = str(worker_pod.spark_home() / "jars" / "*")
    subprocess.run(["javac", "-cp", classes, "-d", folder / "classes", SCRIPTS / "Job.java"], check=True)
    subprocess.run(["jar", "cf", folder / "job.jar", "-C", folder / "classes", "."], check=True)
    worker_pod.java_args(folder)
    return folder


@pytest.fixture
def pods(tmp_path: Path, folder: Path) -> Iterator[tuple[Pod, Pod]]:
    """A cold and a warm pod; the warm one begins to get warm while the cold one runs."""
    with fake_broker(tmp_path / "1") as first, fake_broker(tmp_path / "2") as second:
        cold = Pod(tmp_path / "cold" / "pod", first, java_args=folder / "java.args")
        warm = Pod(tmp_path / "warm" / "pod", second, java_args=folder / "java.args", warm=True)
        yield cold, warm
        cold.kill()
        warm.kill()


@pytest.mark.parametrize("name", CASES)
def test_warm_is_as_cold(pods: tuple[Pod, Pod], folder: Path, name: str) -> None:
    case, (cold, warm) = CASES[name], pods
    work = assignment(case, folder, name)
    warm.start()
    cold.broker.assign(**work)
    cold.start().wait()
    warm.wait_ready()
    assert warm.stdout == ""
    warm.broker.assign(**work)
    warm.wait()
    assert cold.code == case.code, cold.stderr
    assert outcome(warm) == outcome(cold)
    assert warm.stdout.endswith(f"{END_MARK}\n")


def assignment(case: Case, folder: Path, name: str) -> dict[str, Any]:
    """What both pods are told."""
    file, _, _ = name.partition(" ")
    entry = str(folder / file if file.endswith(".jar") else folder / Path(file).stem / file)
    words = [word.replace("{folder}", str(folder)) for word in (*case.before, entry, *case.arguments)]
    options = [option.replace("{folder}", str(folder)) for option in case.jvm_options]
    return driver(*words, jvm_options=options, **case.properties)


def outcome(pod: Pod) -> dict[str, object]:
    """What a user can see, without the names of the pod's own folders and ports."""
    text = pod.stdout.replace(str(pod.folder), "POD").replace(str(pod.port), "PORT")
    said = [line for line in pod.stderr.replace(str(pod.folder), "POD").splitlines() if of_the_job(line)]
    return {
        "stdout": text.splitlines(),
        "stderr": said,
        "code": pod.code,
        "termination": pod.termination,
        "reported": (pod.ended["exitCode"], pod.ended["reason"]),
        "left in the folder": sorted(path.name for path in (pod.folder / "work").iterdir()),
    }


def of_the_job(line: str) -> bool:
    """Lines of standard error which the job or its Python wrote."""
    return line.startswith(("error ", "main ends", "pyspark.errors", "ZeroDivisionError", "Exception in", "\tat Job."))
