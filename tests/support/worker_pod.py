"""A worker pod without Kubernetes: the real launcher, JVM and pyspark in a folder, and a broker on loopback."""

import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import self_signed
from tests.support.pods_api import PodsApi

SOURCE = Path(__file__).parents[2] / "operator" / "src"
OPENED = (
    "java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util java.util.concurrent "
    "java.util.concurrent.atomic jdk.internal.ref sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar"
)
END_MARK = "\x1eEMBER-END\x1e"


def spark_home() -> Path:
    """Where pyspark is; without it (or Java) these tests fail, for what they prove cannot be proved otherwise."""
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        pytest.fail("these tests need pyspark 4.1.2: pip install pyspark==4.1.2 (the `dev` dependency group)")
    if shutil.which("java") is None:
        pytest.fail("these tests need Java 17 or newer on PATH")
    return Path(found.origin).parent


def java_args(folder: Path, *class_path: Path) -> Path:
    """The argument file which the image bakes: class path and opened modules."""
    jars = [str(path) for path in (*class_path, *sorted((spark_home() / "jars").glob("*.jar")))]
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED.split()]
    # The tests' machine is small: the quick compiler only, and the collector without threads of its own.
    lean = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    path = folder / "java.args"
    path.write_text("\n".join([*lean, *opened, "-Djdk.reflect.useDirectMethodHandle=false", f'-cp "{":".join(jars)}"']))
    return path


@dataclass
class FakeBroker:
    """The worker's channel, in memory."""

    certificate: str
    url: str = ""
    assignment: dict[str, Any] = field(default_factory=lambda: {"revision": 1, "phase": "idle"})
    reports: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)  # what the pod said of itself when it asked
    credentials: Callable[[], tuple[int, dict[str, Any]]] = lambda: (404, {})
    away: bool = False
    pods: PodsApi | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def assign(self, **assignment: Any) -> None:
        with self.changed:
            self.assignment = {"revision": self.assignment["revision"] + 1, **assignment}
            self.changed.notify_all()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        route, _, query = path.partition("?")
        if self.away:
            return 503, {}
        if (method, route) == ("GET", "/worker/v1/assignment"):
            asked = dict(pair.split("=") for pair in query.split("&"))
            self.states.append(asked.get("state", ""))
            known = int(asked["known"])
            with self.changed:
                self.changed.wait_for(lambda: self.assignment["revision"] != known, 30)
            return 200, self.assignment
        if (method, route) == ("POST", "/worker/v1/report"):
            self.reports.append(body)
            return 204, None
        if (method, route) == ("GET", "/worker/v1/credentials"):
            return self.credentials()
        return 404, {}


@contextmanager
def fake_broker(folder: Path) -> Iterator[FakeBroker]:
    """Serve a FakeBroker over TLS."""
    certificate, key = self_signed(folder, "127.0.0.1")
    broker = FakeBroker(certificate.read_text())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            if broker.pods and self.path.startswith("/api/"):
                broker.pods.tokens.add(self.headers.get("Authorization", ""))
                if "watch=true" in self.path:
                    return broker.pods.watch(self)
                return self.send(*broker.pods.answer(self.command, self.path, body))
            broker.tokens.append(self.headers.get("Authorization", ""))
            return self.send(*broker.answer(self.command, self.path, body))

        def send(self, status: int, answer: Any) -> None:
            data = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # A client that ends in the middle of a long poll is how each of these tests ends.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    broker.url = f"https://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield broker
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Pod:
    """One worker pod: start it, wait for its end, look at what it left."""

    folder: Path
    broker: FakeBroker
    role: str = "driver"
    java_args: Path | None = None
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    ready_port: int = 0
    warm: bool = False
    prefix: tuple[str, ...] = ()  # a program that starts the launcher in other circumstances

    def start(self) -> "Pod":
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "token").write_text("projected-token\n")
        (self.folder / "termination").touch()
        self.port, self.ready_port = free_port(), free_port()
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "ember.worker"],
                env=self._environment(),
                stdout=out,
                stderr=err,
                cwd=self.folder,
            )
        return self

    def _environment(self) -> dict[str, str]:
        run = self.folder / "run"
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(SOURCE),
            "EMBER_ROLE": self.role,
            "EMBER_BROKER_URL": self.broker.url,
            "EMBER_BROKER_CA": self.broker.certificate,
            "EMBER_HEAP_MB": "512",
            "EMBER_CREDENTIALS_PORT": str(self.port),
            "EMBER_READY_PORT": str(self.ready_port),
            "EMBER_WARM": "1" if self.warm else "",
            "POD_IP": "127.0.0.1",
            "POD_NAME": "pod-1",
            "POD_NAMESPACE": "ns",
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.port}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(run / "credentials-token"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "EMBER_PATH_SPARK_HOME": str(spark_home()),
            "EMBER_PATH_PYTHON": sys.executable,
            "EMBER_PATH_JAVA_ARGS": str(self.java_args or java_args(self.folder)),
            "EMBER_PATH_RUN": str(run),
            "EMBER_PATH_WORK": str(self.folder / "work"),
            "EMBER_PATH_TOKEN": str(self.folder / "token"),
            "EMBER_PATH_TERMINATION": str(self.folder / "termination"),
            **self.env,
        }

    def wait(self, timeout: float = 300) -> "Pod":
        assert self.process
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"the pod did not end in {timeout} s; its log:\n{self.stdout}\n{self.stderr}")
        return self

    def wait_for(self, text: str, timeout: float = 180) -> "Pod":
        """Wait until the pod has printed something."""
        deadline = time.monotonic() + timeout
        while text not in self.stdout + self.stderr:
            assert self.process
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"the pod never printed {text!r}; its log:\n{self.stdout}\n{self.stderr}")
            time.sleep(0.05)
        return self

    def wait_ready(self, timeout: float = 300) -> "Pod":
        """Wait until the readiness probe succeeds."""
        deadline = time.monotonic() + timeout
        while self.probe() != 200:
            assert self.process
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"the pod did not get ready; its log:\n{self.stdout}\n{self.stderr}")
            time.sleep(0.1)
        return self

    def probe(self) -> int:
        """What the readiness probe gets; 0 without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ready_port, timeout=5)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def terminate(self) -> None:
        """What the kubelet does when the pod is deleted."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()

    @property
    def code(self) -> int:
        assert self.process and self.process.returncode is not None
        return self.process.returncode

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    @property
    def termination(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "termination").read_text()))

    @property
    def ended(self) -> dict[str, Any]:
        """The one report of the end."""
        [report] = [report for report in self.broker.reports if report["event"] == "ended"]
        return report


def driver(*arguments: str, jvm_options: Iterable[str] = (), **properties: str) -> dict[str, Any]:
    """An assignment for a driver that needs no executors."""
    settings = {"spark.master": "local[1]", "spark.ui.enabled": "false", "spark.app.name": "job"}
    return {
        "phase": "run",
        "run": {"namespace": "ns", "name": "job", "id": "00abc", "attempt": 1, "applicationId": "00app"},
        "jvmOptions": list(jvm_options),
        "secrets": {"spark-token": "t0ken", "spark-auth": "s3cret"},
        "driver": {"properties": settings | properties, "submitArguments": list(arguments)},
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
