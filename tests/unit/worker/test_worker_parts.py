"""The launcher's small pure parts."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ember.worker import executor, interpreter, jvm, launcher, log, outcome, submit
from ember.worker.assignment import AssignmentError, DriverPart, ExecutorPart, parse
from ember.worker.channel import BackOff, Channel, ChannelError, RefusedError, persist
from ember.worker.inbox import Inbox, NoAssignmentError
from ember.worker.processes import StopRequested, Supervisor
from ember.worker.settings import Settings, SettingsError
from tests.unit.worker.test_worker_properties import load

ENVIRONMENT = {
    "EMBER_ROLE": "driver",
    "EMBER_BROKER_URL": "https://broker:8443/",
    "EMBER_BROKER_CA": "-----BEGIN CERTIFICATE-----",
    "EMBER_HEAP_MB": "900",
    "POD_IP": "10.0.0.7",
    "POD_NAME": "job-driver",
}


def settings(tmp_path: Path, **changes: str) -> Settings:
    return Settings.from_environment({**ENVIRONMENT, "EMBER_PATH_RUN": str(tmp_path), **changes})


@given(st.lists(st.text(), min_size=1))
def test_arguments_survive_the_split_that_makes_the_java_array(values: list[str]) -> None:
    mark = jvm.delimiter(values)
    assert len(mark) == 1
    assert mark.join(values).split(mark) == values


def test_no_delimiter_left_is_an_error() -> None:
    everything = "".join(map(chr, (*range(1, 9), *range(0xE000, 0xF900))))
    with pytest.raises(ValueError, match="private character"):
        jvm.delimiter([everything])


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (0, 0, "exit code 0"),
        (3, 3, "exit code 3"),
        (143, 143, "exit code 143"),
        (-9, 137, "killed by signal 9 SIGKILL"),
        (-15, 143, "killed by signal 15 SIGTERM"),
        (None, 137, "did not end when told to"),
    ],
)
def test_exit_codes(status: int | None, code: int, reason: str) -> None:
    assert outcome.of_status(status) == outcome.Outcome(code, reason)


def test_the_memory_hint_is_in_the_reason() -> None:
    assert outcome.of_status(-9, "no memory").reason == "killed by signal 9 SIGKILL (no memory)"
    assert outcome.of_status(0, "no memory").reason == "exit code 0"


@pytest.mark.parametrize(
    ("missing", "message"), [("EMBER_ROLE", "EMBER_ROLE"), ("POD_IP", "POD_IP"), ("EMBER_BROKER_CA", "EMBER_BROKER_CA")]
)
def test_a_missing_variable_is_named(tmp_path: Path, missing: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(tmp_path, **{missing: ""})


def test_the_jvm_gets_its_heap_last(tmp_path: Path) -> None:
    command = jvm.command(settings(tmp_path), ["-Xss2m", "-Dx=y z"])
    assert command[0] == "java"
    assert command[1] == "@/opt/ember/java.args"
    assert command[-4:] == ["-Xss2m", "-Dx=y z", "-Xmx900m", jvm.MAIN_CLASS]


@pytest.mark.parametrize(
    ("base", "expected"),
    [({}, "C.UTF-8"), ({"LANG": "POSIX"}, "C.UTF-8"), ({"LANG": "de_DE.utf8"}, None), ({"LC_ALL": "C"}, "C.UTF-8")],
)
def test_the_jvm_has_a_utf8_locale(tmp_path: Path, base: dict[str, str], expected: str | None) -> None:
    assert jvm.environment(settings(tmp_path), base, {}).get("LC_ALL") == expected


def test_assignment_is_parsed() -> None:
    work = parse(
        {
            "revision": 7,
            "phase": "run",
            "run": {"id": "00a", "attempt": 2},
            "jvmOptions": ["-Dx=y"],
            "secrets": {"spark-auth": "s"},
            "driver": {"properties": {"spark.x": "y"}, "submitArguments": ["a.py", ""]},
            "unknown": "fields are for later releases",
        }
    )
    assert (work.revision, work.phase, work.run["attempt"], work.jvm_options) == (7, "run", "2", ("-Dx=y",))
    assert work.driver == DriverPart({"spark.x": "y"}, ("a.py", ""))
    assert work.executor is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"revision": 1, "phase": "dance"},
        {"revision": 1, "phase": "run", "secrets": {"../x": "s"}},
        {"revision": 1, "phase": "run", "jvmOptions": "-Dx=y"},
        {"revision": 1, "phase": "run", "driver": {"properties": {}}},
        {"revision": 1, "phase": "run", "executor": {"driverUrl": "x"}},
    ],
)
def test_a_malformed_assignment_is_refused(body: Any) -> None:
    with pytest.raises(AssignmentError):
        parse(body)


def test_submit_adds_what_only_the_pod_knows(tmp_path: Path) -> None:
    part = DriverPart({"spark.master": "k8s://https://broker:8443", "spark.a": "ü #", "spark.b": " x "}, ("a.py", ""))
    found = submit.arguments(settings(tmp_path), part, "/run/stub", "python3", {"spark-auth": "s", "spark-token": "t"})
    assert found[0] == "--properties-file"
    assert found[2:] == ["--load-spark-defaults", "--conf", "spark.b= x ", "a.py", ""]
    written = load(Path(found[1]).read_text())
    assert Path(found[1]).stat().st_mode & 0o777 == 0o600
    assert written["spark.a"] == "ü #"
    assert written["spark.driver.host"] == "10.0.0.7"
    assert written["spark.pyspark.driver.python"] == "/run/stub"
    assert written["spark.kubernetes.driver.master"] == "https://broker:8443"
    assert written["spark.kubernetes.authenticate.driver.mounted.oauthTokenFile"] == str(tmp_path / "spark-token")
    assert written["spark.authenticate.secret.file"] == str(tmp_path / "spark-auth")


def test_a_local_master_gets_no_kubernetes_settings(tmp_path: Path) -> None:
    facts = submit.local_facts(settings(tmp_path, POD_IP="fd00::7"), "local[1]", {"spark-auth": "s"})
    assert facts == {"spark.driver.host": "[fd00::7]", "spark.driver.bindAddress": "[::]"}


def test_the_executors_part(tmp_path: Path) -> None:
    part = ExecutorPart("spark://d", "5", 2, "app", "0", ("-Dspark.a=b=c d\\", "-Xss1m", "-Dflag"))
    assert executor.command_line(part.java_options) == ["-Xss1m", "-Dflag"]
    found = load(executor.system_properties(settings(tmp_path), part, {"spark-auth": "s"}))
    assert found["spark.a"] == "b=c d\\"
    assert found["flag"] == ""
    assert found["spark.authenticate.secret.file"] == str(tmp_path / "spark-auth")
    assert executor.arguments(settings(tmp_path), part)[-6:] == [
        *("--hostname", "10.0.0.7", "--resourceProfileId", "0", "--podName", "job-driver"),
    ]


@pytest.mark.parametrize(
    ("properties", "arguments", "env", "expected"),
    [
        ({}, (), {}, ("", "")),
        ({"spark.pyspark.python": "v"}, (), {"PYSPARK_PYTHON": "e"}, ("v", "v")),
        ({"spark.pyspark.driver.python": "d"}, (), {}, ("d", "")),
        ({}, (), {"PYSPARK_PYTHON": "e"}, ("e", "e")),
        ({}, (), {"PYSPARK_PYTHON": "e", "PYSPARK_DRIVER_PYTHON": "d"}, ("d", "e")),
        ({}, ("--conf", "spark.pyspark.python=c", "a.py"), {}, ("c", "c")),
        ({}, ("--conf=spark.pyspark.python=c", "a.py"), {}, ("c", "c")),
    ],
)
def test_whose_python(
    properties: dict[str, str], arguments: tuple[str, ...], env: dict[str, str], expected: tuple[str, str]
) -> None:
    assert interpreter.requested(properties, arguments, env) == expected


def test_environment_of_the_driver_in_both_spellings() -> None:
    properties = {
        "spark.emr-serverless.driverEnv.A": "1",
        "spark.kubernetes.driverEnv.B": "2",
        "spark.emr-serverless.driverEnv.": "",
        "spark.executorEnv.C": "3",
    }
    assert interpreter.driver_environment(properties) == {"A": "1", "B": "2"}


def test_persist_gives_up_in_time_and_not_before() -> None:
    now, tries = [0.0], [0]

    def fail() -> None:
        tries[0] += 1
        raise ChannelError("away")

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(ChannelError):
        persist(fail, 120, sleep=sleep, clock=lambda: now[0])
    assert 110 < now[0] <= 120
    assert tries[0] > 20


def test_persist_takes_no_for_an_answer() -> None:
    def refuse() -> None:
        raise RefusedError(410, "gone")

    with pytest.raises(RefusedError):
        persist(refuse, 120, sleep=lambda _: pytest.fail("slept"))


def test_back_off_grows_to_its_bound_and_begins_anew() -> None:
    back_off = BackOff(1, 4)
    assert [0.5 <= back_off.pause() / most <= 1 for most in (1, 2, 4, 4)] == [True] * 4
    back_off.reset()
    assert back_off.pause() <= 1


@pytest.fixture
def supervisor() -> Any:
    before = {number: signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)}
    supervisor = Supervisor()
    supervisor.install()
    yield supervisor
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_child_is_reaped_and_its_code_known(supervisor: Supervisor, tmp_path: Path) -> None:
    child = supervisor.start([sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(5)"], os.environ, tmp_path)
    assert not supervisor.wait(lambda: child.ended, 0.1)
    child.close_stdin()
    assert supervisor.wait(lambda: child.ended, 10)
    assert child.status == 5


def test_orphans_are_reaped_too(supervisor: Supervisor) -> None:
    pid = subprocess.Popen(["true"]).pid
    assert supervisor.wait(lambda: not Path(f"/proc/{pid}").exists(), 10)


def test_a_child_that_ignores_sigterm_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    script = "import signal,time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    child = supervisor.start([sys.executable, "-c", script], os.environ, tmp_path)
    time.sleep(0.5)
    supervisor.end(child, 0.2)
    assert child.status == -signal.SIGKILL


def test_a_stop_is_raised_once(supervisor: Supervisor) -> None:
    threading.Timer(0.1, supervisor.request_stop, ["enough"]).start()
    with pytest.raises(StopRequested, match="enough"):
        supervisor.wait(lambda: False, 10)
    supervisor.request_stop("again")
    assert not supervisor.wait(lambda: False, 0.1)


def test_a_stop_during_the_end_is_not_raised(supervisor: Supervisor) -> None:
    supervisor.finish()
    supervisor.request_stop("too late")
    assert not supervisor.wait(lambda: False, 0.1)
    assert supervisor.stopping


def test_a_pod_whose_jvm_is_gone_takes_no_run(supervisor: Supervisor) -> None:
    with pytest.raises(NoAssignmentError, match="the JVM has ended"):
        Inbox(cast("Channel", NoBroker()), supervisor).first(lambda: True)


class NoBroker:
    """Gives no answer, for good."""

    def assignment(self, known: int) -> None:
        """Refuse."""
        raise RefusedError(403, f"no {known}")


def test_sigterm_is_a_stop(supervisor: Supervisor) -> None:
    threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGTERM]).start()
    with pytest.raises(StopRequested, match="SIGTERM"):
        supervisor.wait(lambda: False, 10)


@dataclass
class Main:
    """How a call of main and its gateway look once main is over."""

    failure: str = ""
    done: bool = True
    disconnected: bool = False

    @property
    def returned(self) -> bool:
        """Neither an exception nor a lost connection."""
        return not self.failure and not self.disconnected

    def prepare_end(self, _: Settings) -> None:
        """No file tells of the last hook."""


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        (Main(), (0, "exit code 0")),
        (Main(failure='Exception in thread "main" Odd: 7\n\tat x'), (1, "exit code 1 (Odd: 7)")),
        (Main(disconnected=True), (143, "killed by signal 15 SIGTERM")),
    ],
)
def test_a_shutdown_that_hangs_does_not_hide_how_main_ended(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Main, expected: tuple[int, str]
) -> None:
    monkeypatch.setattr(launcher, "EXIT_SECONDS", 0.05)
    monkeypatch.setattr(launcher, "Channel", lambda *_: NoBroker())
    pod = launcher.Launcher(settings(tmp_path), {})
    pod._supervisor = supervisor  # its signals are given back after the test
    pod._jvm = supervisor.start(["sleep", "60"], os.environ, tmp_path)
    assert pod._concluded(cast("jvm.Call", main), cast("jvm.Gateway", main)) == outcome.Outcome(*expected)


def test_two_virtual_environments_are_two_pythons(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("python", "python3"):
            (tmp_path / folder / name).symlink_to(tmp_path / "real")
    assert interpreter.is_same(tmp_path / "a" / "python", tmp_path / "a" / "python3")
    assert not interpreter.is_same(tmp_path / "a" / "python", tmp_path / "b" / "python")


def test_a_stream_that_somebody_made_non_blocking_loses_nothing() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    sent = b"x" * 1_000_000  # more than a pipe holds
    writer = threading.Thread(target=log.write_all, args=(write, sent))
    writer.start()
    writer.join(0.1)  # nobody reads: it is full by now, and the writer waits or has given up
    got = 0
    while got < len(sent) and select.select([read], [], [], 5)[0]:
        got += len(os.read(read, 65536))
    writer.join()
    os.close(read)
    os.close(write)
    assert got == len(sent)
