import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from local.native.layout import Layout
from local.native.leftovers import is_ours
from local.native.processes import Identity, ProcessTable, boot_id, end, identify, start_time

STAT = "42 (a) name (with) brackets) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 5672960 100"


def test_the_start_time_is_found_behind_any_name() -> None:
    assert start_time(STAT) == 123456


def test_a_zombie_runs_no_more() -> None:
    assert start_time(STAT.replace(") S 1", ") Z 1")) is None


def test_a_process_with_a_reused_id_is_somebody_else() -> None:
    this = identify(os.getpid())
    assert this is not None
    assert this.alive()
    assert not replace(this, start=this.start - 1).alive()
    assert not replace(this, boot="another").alive()


def test_a_stranger_with_a_recorded_id_is_not_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        end([Identity(stranger.pid, start=1, boot=boot_id())])
        assert stranger.poll() is None
        stranger.kill()


def test_a_started_process_is_recorded_logged_and_ended(tmp_path: Path) -> None:
    table = ProcessTable(tmp_path / "processes.json", tmp_path / "logs")
    table.start("greeter", ["sh", "-c", "echo hello; exec sleep 60"])
    again = ProcessTable(tmp_path / "processes.json", tmp_path / "logs")
    assert list(again.alive()) == ["greeter"]
    deadline = time.monotonic() + 5
    while again.log("greeter").read_text() != "hello\n" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert again.log("greeter").read_text() == "hello\n"
    again.stop(["greeter"])
    assert again.alive() == {}
    assert list(again.known()) == ["greeter"]


def test_one_that_will_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    table = ProcessTable(tmp_path / "processes.json", tmp_path / "logs")
    ready = tmp_path / "ready"
    table.start("stubborn", ["sh", "-c", f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done"])
    while not ready.exists():
        time.sleep(0.01)
    table.stop(["stubborn"], grace=0.2)
    assert table.alive() == {}


def test_the_callers_pipe_is_not_held_open(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from local.native.processes import ProcessTable;"
        f"print(ProcessTable(Path('{tmp_path}/p.json'), Path('{tmp_path}')).start('s', ['sleep', '30']).pid)"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert time.monotonic() - started < 15
    os.kill(int(done.stdout), signal.SIGKILL)


def test_only_our_programs_with_our_files_are_ours(tmp_path: Path) -> None:
    files = Layout(tmp_path / "state", tmp_path / "cache")
    assert is_ours(["/cache/etcd", f"--data-dir={files.state}/etcd"], files)
    assert is_ours(["/cache/containerd-shim-runc-v2", "-address", f"{files.state}/containerd.sock"], files)
    assert not is_ours(["/usr/bin/etcd", "--data-dir=/var/lib/etcd"], files)
    assert not is_ours(["less", f"{files.state}/logs/etcd.log"], files)
    assert not is_ours(["/cache/etcd", f"--data-dir={files.state}-other/etcd"], files)
    assert not is_ours([], files)
