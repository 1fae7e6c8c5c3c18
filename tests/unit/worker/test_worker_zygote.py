"""A script run by a fork of the zygote behaves as if a new interpreter had started it. No pyspark, no JVM."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ember.worker import stub

SOURCE = str(Path(stub.__file__).parents[2])


@dataclass
class Zygote:
    """A running zygote and its stub."""

    folder: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    def start(self, script: str, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        path = self.folder / "jobs" / "job.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(script))
        command = [sys.executable, "-IS", str(self.folder / "stub"), str(path), *arguments]
        return subprocess.Popen(command, env={**self.environment, **env}, cwd=self.folder, stdin=subprocess.DEVNULL)

    def run(self, script: str, *arguments: str, **env: str) -> int:
        return self.start(script, *arguments, **env).wait(20)

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[Zygote]:
    shutil.copy(stub.__file__, tmp_path / "stub")
    (tmp_path / "python").write_text(sys.executable)
    (tmp_path / "interpreter").write_text("")
    environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "YES", "LANG": "C.UTF-8"}
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "ember.worker.zygote", str(tmp_path / "zygote.sock"), "plain"],
            env={**environment, "PYTHONPATH": SOURCE},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
        )
    while not (tmp_path / "zygote.sock").exists():
        time.sleep(0.01)
    yield Zygote(tmp_path, process, environment)
    assert process.stdin
    process.stdin.close()
    process.wait(10)


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("sys.exit(256 + 4)", 4),
        ("sys.exit(-1)", 255),
        ("os._exit(9)", 9),
    ],
)
def test_exit_codes(zygote: Zygote, ending: str, code: int) -> None:
    assert zygote.run(f"import os, sys\n{ending}") == code


def test_exit_with_a_message(zygote: Zygote) -> None:
    assert zygote.run("import sys; sys.exit('no luck')") == 1
    assert zygote.err == "no luck\n"


def test_death_by_signal(zygote: Zygote) -> None:
    assert zygote.run("import os; os.kill(os.getpid(), 9)") == 137


def test_an_exception_looks_as_from_a_plain_interpreter(zygote: Zygote) -> None:
    assert zygote.run("def f():\n    raise ValueError('bad')\ntry:\n    f()\nfinally:\n    {}['x']\n") == 1
    job = zygote.folder / "jobs" / "job.py"
    plain = subprocess.run([sys.executable, str(job)], capture_output=True, text=True, check=False)
    assert plain.returncode == 1
    assert zygote.err == plain.stderr


def test_a_syntax_error_is_shown(zygote: Zygote) -> None:
    assert zygote.run("a =\n") == 1
    assert zygote.err.endswith("SyntaxError: invalid syntax\n")
    assert "ember" not in zygote.err


def test_threads_and_atexit_are_honoured(zygote: Zygote) -> None:
    script = """
        import atexit, sys, threading, time
        atexit.register(print, "atexit")
        threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
        print("main")
        sys.exit(2)
    """
    assert zygote.run(script) == 2
    assert zygote.out == "main\nthread\natexit\n"


def test_it_is_the_main_module_of_a_fresh_interpreter(zygote: Zygote) -> None:
    script = """
        import os, sys, __main__
        print(__name__, __file__ == sys.argv[0], sys.argv[1:], __main__.__dict__ is globals(), __spec__)
        print(sys.path[0] == os.path.dirname(__file__), os.getcwd(), os.environ["X"], repr(sys.stdin.read()))
        print("ember" in sys.modules, sys.orig_argv[1] == __file__, os.getpgid(0) == os.getpid())
        print(sys.stdout.write_through)
    """
    assert zygote.run(script, "a b", "", "ü", X="y") == 0
    assert zygote.out.splitlines() == [
        "__main__ True ['a b', '', 'ü'] True None",
        f"True {zygote.folder} y ''",
        "False True True",
        "True",
    ]


def test_multiprocessing_and_subprocess_work(zygote: Zygote) -> None:
    script = """
        import multiprocessing, subprocess, sys
        def double(x): return 2 * x
        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    print(pool.map(double, [1, 2]))
            print(subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True, text=True).stdout)
    """
    assert zygote.run(script) == 0
    assert zygote.out == "[2, 4]\n[2, 4]\n5\n\n"


def test_a_module_of_the_user_is_not_shadowed_by_a_loaded_one(zygote: Zygote) -> None:
    (zygote.folder / "jobs").mkdir()
    (zygote.folder / "jobs" / "selectors.py").write_text("mine = True")
    assert zygote.run("import selectors; print(selectors.mine)") == 0


def test_another_hash_seed_means_another_interpreter(zygote: Zygote) -> None:
    assert zygote.run("import sys; print(sys.flags.hash_randomization)", PYTHONHASHSEED="0") == 0
    assert zygote.out == "0\n"


def test_the_users_own_interpreter(zygote: Zygote) -> None:
    program = zygote.folder / "own"
    program.write_text(f'#!/bin/sh\necho own\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    (zygote.folder / "interpreter").write_text("./own")
    assert zygote.run("import sys; print(sys.argv[1]); sys.exit(6)", "x") == 6
    assert zygote.out == "own\nx\n"


def test_without_a_zygote_the_stub_runs_the_job_itself(zygote: Zygote) -> None:
    (zygote.folder / "zygote.sock").unlink()
    assert zygote.run("import sys; sys.exit(6)") == 6


def test_ending_the_stub_ends_the_job(zygote: Zygote) -> None:
    process = zygote.start("import os, time; print(os.getpid()); time.sleep(60)")
    while not zygote.out:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    pid = zygote.out.strip()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


def test_forks_that_have_numpy_draw_numbers_of_their_own() -> None:
    script = """
        import os
        from ember.worker import pyworkers, zygote
        zygote._warm("executor")
        def work():
            import numpy, pandas
            print(numpy.random.rand(), pandas.Series(range(10**6)).sample(1).iloc[0], flush=True)
        main = pyworkers.with_own_seed(work)
        for _ in range(2):
            if os.fork() == 0:
                main()
                os._exit(0)
            os.wait()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": SOURCE}, capture_output=True, text=True, check=True)
    (first, sample), (second, other) = (line.split() for line in done.stdout.splitlines())
    assert first != second
    assert sample != other
