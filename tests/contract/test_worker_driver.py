"""Drivers in the real launcher and a real JVM: what goes in, what comes out, and with which code it ends."""

import json
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import worker_pod
from tests.support.worker_pod import END_MARK, FakeBroker, Pod, driver, fake_broker

pytestmark = pytest.mark.spark
ARGUMENTS = ["a b", "", "$(id)", "q\"u'ote", "--master", "ünï☃𝄞", "x\ny", "\\", "-", "*", ""]
CREDENTIALS = {"AccessKeyId": "the-key", "SecretAccessKey": "the-secret", "Token": "the-token"}

JAVA = """
    import java.net.URI;
    import java.net.http.*;
    import java.nio.file.*;

    public class Job {
        public static void main(String[] arguments) throws Exception {
            System.out.println("JAVA " + arguments.length + " " + String.join("|", arguments));
            if (arguments[0].equals("throw")) throw new IllegalStateException("user error");
            if (arguments[0].equals("exit")) System.exit(5);
            if (arguments[0].equals("hook")) {
                Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println(slowly("last words"))));
                return;
            }
            if (arguments[0].equals("paths")) {
                System.out.println(Files.readString(Path.of(ClassLoader.getSystemResource("own.txt").toURI())));
                System.out.println(System.getenv("LD_LIBRARY_PATH"));
                return;
            }
            if (arguments[0].equals("memory")) System.out.println(new byte[2000000000]);
            String token = Files.readString(Path.of(System.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")));
            URI uri = URI.create(System.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
            HttpRequest request = HttpRequest.newBuilder(uri).header("Authorization", token).build();
            System.out.print(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
        }

        static String slowly(String said) {
            try { Thread.sleep(700); } catch (InterruptedException stopped) { return "interrupted"; }
            return said;
        }
    }
"""


@pytest.fixture(scope="module")
def java_args(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worker_pod.java_args(tmp_path_factory.mktemp("jvm"))


@pytest.fixture(scope="module")
def jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("javac") is None:
        pytest.fail("these tests need a JDK (javac and jar) on PATH")
    folder = tmp_path_factory.mktemp("jar")
    (folder / "Job.java").write_text(textwrap.dedent(JAVA))
    subprocess.run(["javac", "Job.java"], cwd=folder, check=True)
    subprocess.run(["jar", "cf", "job.jar", "Job.class"], cwd=folder, check=True)
    return folder / "job.jar"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[FakeBroker]:
    with fake_broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def pod(tmp_path: Path, broker: FakeBroker, java_args: Path) -> Iterator[Pod]:
    pod = Pod(tmp_path / "pod", broker, java_args=java_args)
    yield pod
    pod.kill()


Run = Callable[..., Pod]


@pytest.fixture
def run(pod: Pod, tmp_path: Path) -> Run:
    """Run a Python script as a driver to its end."""

    def run(script: str, *arguments: str, **properties: str) -> Pod:
        (tmp_path / "job.py").write_text(textwrap.dedent(script))
        pod.broker.assign(**driver(str(tmp_path / "job.py"), *arguments, **properties))
        return pod.start().wait()

    return run


def test_a_python_job_gets_its_arguments_and_settings_and_ends_well(run: Run) -> None:
    script = """
        import json, os, sys
        from pyspark.sql import SparkSession
        spark = SparkSession.builder.getOrCreate()
        conf = spark.sparkContext.getConf()
        print(json.dumps({"argv": sys.argv[1:], "count": spark.range(7).count(), "odd": conf.get("spark.odd"),
                          "spaced": conf.get("spark.spaced"), "env": os.environ["GREETING"], "cwd": os.getcwd(),
                          "forked": "ember.worker.zygote" in open("/proc/self/cmdline").read()}))
        print("to stderr", file=sys.stderr)
        print("no newline", end="")
    """
    odd = "ü𝄞 #=:! \\u0041 \\ \n end"
    driver_env = {"spark.emr-serverless.driverEnv.GREETING": "hullo", "spark.driver.cores": "2"}
    pod = run(script, *ARGUMENTS, **{"spark.odd": odd, "spark.spaced": " both ends ", **driver_env})
    assert pod.code == 0, pod.stderr
    first, last, _ = pod.stdout.split("\n")
    work = str(pod.folder / "work")
    assert json.loads(first) == {
        "argv": ARGUMENTS, "count": 7, "odd": odd, "spaced": " both ends ", "env": "hullo", "cwd": work,
        "forked": True,
    }  # fmt: skip
    assert last == f"no newline{END_MARK}"
    assert "to stderr\n" in pod.stderr
    assert pod.stderr.endswith(f"\n{END_MARK}\n")
    assert pod.termination == {"exitCode": 0, "reason": "exit code 0", "began": True}
    assert [report["event"] for report in pod.broker.reports] == ["started", "ended"]
    assert pod.ended["exitCode"] == 0
    assert list(pod.ended["marks"]) == ["assignment", "jvm", "submit", "main", "exit", "end"]
    assert set(pod.broker.tokens) == {"Bearer projected-token"}
    assert (pod.folder / "run" / "spark-token").read_text() == "t0ken"
    assert "t0ken" not in pod.stdout + pod.stderr


def test_the_code_of_sys_exit(run: Run) -> None:
    pod = run("import atexit, sys; atexit.register(print, 'bye'); sys.exit(3)")
    assert (pod.code, pod.ended["reason"]) == (3, "exit code 3")
    assert pod.stdout == f"bye\n{END_MARK}\n"


def test_an_uncaught_exception(run: Run) -> None:
    pod = run("raise KeyError('lost')")
    assert pod.code == 1
    assert "KeyError: 'lost'\n" in pod.stderr


def test_system_exit_in_the_jvm(run: Run) -> None:
    script = """
        from pyspark import SparkContext
        SparkContext._ensure_initialized()
        SparkContext._jvm.java.lang.System.exit(7)
    """
    assert run(script).code == 7


def test_a_killed_python(run: Run) -> None:
    pod = run("import os; os.kill(os.getpid(), 9)")
    assert (pod.code, pod.ended["exitCode"]) == (137, 137)


def test_the_users_own_python(run: Run, tmp_path: Path) -> None:
    own = tmp_path / "own-python"
    own.write_text(f'#!/bin/sh\necho own\nexec {sys.executable} "$@"\n')
    own.chmod(0o755)
    pod = run("import sys; print(sys.argv[1:])", *ARGUMENTS, **{"spark.pyspark.python": str(own)})
    assert pod.code == 0, pod.stderr
    assert pod.stdout == f"own\n{ARGUMENTS}\n{END_MARK}\n"


def test_a_jar_gets_its_arguments_and_credentials(pod: Pod, jar: Path) -> None:
    expires = datetime.now(UTC) + timedelta(hours=1)
    pod.broker.credentials = lambda: (200, {**CREDENTIALS, "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ")})
    pod.broker.assign(**driver("--class", "Job", str(jar), *ARGUMENTS))
    pod.start().wait()
    assert pod.code == 0, pod.stderr
    said, _, body = pod.stdout.partition("\\|-|*|\n")
    assert said == f"JAVA {len(ARGUMENTS)} " + "|".join(ARGUMENTS).removesuffix("\\|-|*|")
    assert json.loads(body.partition(END_MARK)[0])["AccessKeyId"] == "the-key"


@pytest.mark.parametrize(
    ("argument", "code", "reason"),
    [
        ("throw", 1, "exit code 1 (java.lang.IllegalStateException: user error)"),
        ("exit", 5, "exit code 5"),
        ("memory", 1, "exit code 1 (java.lang.OutOfMemoryError: Java heap space)"),
    ],
)
def test_how_a_jar_ends(pod: Pod, jar: Path, argument: str, code: int, reason: str) -> None:
    pod.broker.assign(**driver("--class", "Job", str(jar), argument))
    pod.start().wait()
    assert (pod.code, pod.ended["reason"]) == (code, reason)
    if argument == "throw":
        assert 'Exception in thread "main" java.lang.IllegalStateException: user error\n\tat Job.main(' in pod.stderr


def test_shutdown_hooks_have_their_say(pod: Pod, jar: Path) -> None:
    pod.broker.assign(**driver("--class", "Job", str(jar), "hook"))
    pod.start().wait()
    assert (pod.code, pod.ended["reason"]) == (0, "exit code 0")
    assert pod.stdout == f"JAVA 1 hook\nlast words\n{END_MARK}\n"


def test_the_runs_own_class_path_and_library_path_come_first(pod: Pod, jar: Path, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("found")
    pod.env = {"EMBER_CLASS_PATH": str(tmp_path), "EMBER_LIBRARY_PATH": "/own", "LD_LIBRARY_PATH": "/image"}
    pod.broker.assign(**driver("--class", "Job", str(jar), "paths"))
    assert pod.start().wait().stdout == f"JAVA 1 paths\nfound\n/own:/image\n{END_MARK}\n"


def test_a_job_that_cannot_be_found(pod: Pod) -> None:
    pod.broker.assign(**driver("/nowhere/job.py"))
    assert pod.start().wait().code != 0


def test_jvm_options_reach_the_jvm_and_bad_ones_end_it(pod: Pod) -> None:
    pod.broker.assign(**driver("--class", "Job", "/x.jar", jvm_options=("-XX:NoSuchOption",)))
    pod.start().wait()
    assert pod.code == 1
    assert pod.ended["reason"] == "the JVM ended before it was up: exit code 1"


SLEEPER = """
    import time
    print("started")
    time.sleep(60)
"""


def sleeping(pod: Pod, tmp_path: Path) -> Pod:
    (tmp_path / "job.py").write_text(textwrap.dedent(SLEEPER))
    pod.broker.assign(**driver(str(tmp_path / "job.py")))
    return pod.start().wait_for("started")


def test_the_operator_stops_a_job(pod: Pod, tmp_path: Path) -> None:
    sleeping(pod, tmp_path)
    pod.broker.assign(phase="stop", reason="cancelled")
    began = time.monotonic()
    pod.wait(30)
    assert time.monotonic() - began < 15
    assert (pod.code, pod.ended["reason"]) == (143, "stopped: cancelled")
    assert pod.stdout.endswith(f"{END_MARK}\n")


def test_sigterm_stops_a_job(pod: Pod, tmp_path: Path) -> None:
    sleeping(pod, tmp_path)
    assert pod.process
    pod.process.terminate()
    assert pod.wait(30).ended["reason"] == "stopped: SIGTERM"


def test_the_end_reaches_a_broker_that_was_away(pod: Pod, tmp_path: Path) -> None:
    sleeping(pod, tmp_path)
    pod.broker.away = True
    assert pod.process
    pod.process.terminate()
    pod.wait_for(END_MARK)
    time.sleep(3)
    assert pod.process.poll() is None
    pod.broker.away = False
    assert pod.wait(30).ended["exitCode"] == 143
