import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

GO = """#!/bin/sh
case "$1" in
env) echo go1.26.8; exit;;
list) echo fmt; exit;;
esac
while [ "$1" != -o ]; do shift; done
out="$2"; shift 2
echo "$$" >> {started}
{work}
"""


# What the real one calls the executables.
BUILD = 'for name in "$@"; do case $name in */v3) name=server;; esac; echo program > "$out${name##*/}"; done'


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "programs"


def start(tmp_path: Path, work: str) -> subprocess.Popen[str]:
    """Start the build of three programs, in two calls, with a `go` that does something else."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir(exist_ok=True)
    go.write_text(GO.format(started=tmp_path / "started", work=work))
    go.chmod(0o755)
    env = os.environ | {"EMBER_CACHE": str(tmp_path / "cache"), "PATH": f"{go.parent}:/usr/bin:/bin"}
    # Who starts the tests in the background has SIGINT ignored, and so would their children.
    interruptible = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"{interruptible}; from local.programs.build import ensure; ensure(['kubernetes', 'etcd', 'containerd'])"
    return subprocess.Popen([sys.executable, "-c", script], env=env, stderr=subprocess.PIPE, text=True)


def started(tmp_path: Path) -> list[int]:
    path = tmp_path / "started"
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def test_what_is_built_is_complete_and_built_once(tmp_path: Path, programs: Path) -> None:
    for _ in range(2):
        assert start(tmp_path, BUILD).wait(60) == 0
    assert len(started(tmp_path)) == 2
    assert len(list(programs.glob("etcd-*/etcd"))) == 1
    assert len(list(programs.glob("containerd-*/ctr"))) == 1
    assert len(list(programs.glob("kubernetes-*/kubelet"))) == 1
    assert (tmp_path / "cache" / "bin" / "kubectl").read_text() == "program\n"


def test_an_interrupted_build_leaves_nothing_half_made(tmp_path: Path, programs: Path) -> None:
    build = start(tmp_path, f"{BUILD}; sleep 60")
    deadline = time.monotonic() + 60
    while not started(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    build.send_signal(signal.SIGINT)
    assert build.wait(60) != 0
    assert [path.name for path in programs.iterdir()] == [".lock"]
    assert not [pid for pid in started(tmp_path) if Path(f"/proc/{pid}").exists()]


def test_a_failed_build_says_why_and_goes_on_from_there(tmp_path: Path, programs: Path) -> None:
    build = start(tmp_path, 'echo "main.go:1: no such thing" >&2; exit 1')
    assert "no such thing" in build.communicate(timeout=60)[1]
    assert not list(programs.glob("[a-z]*-*"))
    assert start(tmp_path, BUILD).wait(60) == 0
