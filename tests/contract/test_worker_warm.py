"""A warm pod before its run: what it may not show, how it ends, what it costs."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import worker_pod
from tests.support.worker_pod import END_MARK, Pod, fake_broker

pytestmark = pytest.mark.spark


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    with fake_broker(tmp_path / "broker") as broker:
        pod = Pod(tmp_path / "pod", broker, java_args=worker_pod.java_args(tmp_path), warm=True)
        yield pod
        pod.kill()


def test_an_idle_pod_is_quiet_and_goes_when_told(pod: Pod) -> None:
    pod.start().wait_for("NativeCodeLoader")
    assert pod.probe() == 503
    pod.wait_ready()
    assert credentials(pod) == 404
    assert pod.stdout == ""
    assert " INFO " not in pod.stderr
    assert "rehearsal" not in pod.stderr
    assert list((pod.folder / "work").iterdir()) == []
    before = cpu_seconds(pod)
    time.sleep(3)
    assert cpu_seconds(pod) - before < 0.15
    pod.broker.assign(phase="stop", reason="released")
    pod.wait(30)
    assert pod.ended["reason"] == "stopped: released"
    assert [report["event"] for report in pod.broker.reports] == ["ready", "ended"]
    assert {"jvm", "ready"} <= pod.broker.reports[0]["marks"].keys()


def test_a_pod_that_gets_warm_can_be_stopped(pod: Pod) -> None:
    pod.start().wait_for("NativeCodeLoader")
    pod.broker.assign(phase="stop", reason="not wanted any more")
    assert pod.wait(30).ended["reason"] == "stopped: not wanted any more"
    assert pod.stdout == f"{END_MARK}\n"


def test_a_failing_warm_up_says_why(pod: Pod, tmp_path: Path) -> None:
    broken = tmp_path / "broken-python"
    broken.write_text(
        f'#!/bin/sh\n[ "$1" = -m ] && exec {sys.executable} "$@"\necho "Error: nothing works" >&2\nexit 9\n'
    )
    broken.chmod(0o755)
    pod.env["EMBER_PATH_PYTHON"] = str(broken)
    pod.start().wait()
    assert pod.code == pod.ended["exitCode"] != 0
    assert "warm-up" in pod.ended["reason"]
    assert pod.termination["reason"] == pod.ended["reason"]
    assert [report["event"] for report in pod.broker.reports] == ["ended"]


def credentials(pod: Pod) -> int:
    token = (pod.folder / "run" / "credentials-token").read_text()
    request = urllib.request.Request(f"http://127.0.0.1:{pod.port}/credentials", headers={"Authorization": token})
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - on loopback
            json.load(answer)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def cpu_seconds(pod: Pod) -> float:
    """What the launcher and all of its children have used."""
    assert pod.process
    pids = {pod.process.pid}
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        stats[int(path.parent.name)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / 100)
    for _ in range(4):
        pids |= {pid for pid, (parent, _) in stats.items() if parent in pids}
    return sum(stats[pid][1] for pid in pids)
