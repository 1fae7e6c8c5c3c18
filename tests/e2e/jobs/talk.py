"""A driver that does what its test asks, over HTTP on its own loopback: one request, one answer, both JSON."""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

from pyspark import SparkFiles
from pyspark.sql import SparkSession

PORT = 7999
TOKEN = Path("/run/ember/spark-token")


class Job:
    """What can be asked for: each method is a command."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark, self.ended = spark, False

    def sum(self, numbers: int, slices: int) -> int:
        return int(self._spark.sparkContext.parallelize(range(numbers), slices).sum())

    def environment(self) -> dict[str, Any]:
        secrets = sorted(str(path) for path in Path("/var/run/secrets").rglob("*") if path.is_file())
        return {
            "variables": dict(os.environ),
            "secrets": secrets,
            "kubernetes": Path("/var/run/secrets/kubernetes.io").exists(),
            "user": os.getuid(),
            "properties": dict(self._spark.sparkContext.getConf().getAll()),
        }

    def dependencies(self) -> dict[str, Any]:
        context = self._spark.sparkContext
        jvm: Any = self._spark._jvm
        loader = jvm.org.apache.spark.util.Utils.getContextOrSparkClassLoader()
        resources = {name: loader.getResource(name) is not None for name in ("e2e-jar.txt", "e2e-package.txt")}
        jars = [Path(str(jar)).name for jar in _elements(context._jsc.sc().listJars())]
        executor = context.parallelize([21], 1).map(lambda number: _look(number)).first()
        return {"driver": _look(21), "executor": executor, "resources": resources, "jars": jars}

    def token(self) -> str:
        return TOKEN.read_text()

    def broker(self, method: str, path: str, body: Any = None, token: str = "") -> dict[str, Any]:
        """Ask the broker as Spark does, with the own token or another."""
        url = os.environ["EMBER_BROKER_URL"] + path
        request = urllib.request.Request(url, method=method)  # noqa: S310  https, from the pod's template
        request.add_header("Authorization", f"Bearer {token or self.token()}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        context = ssl.create_default_context(cadata=os.environ["EMBER_BROKER_CA"])
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:  # noqa: S310
                return {"status": answer.status, "body": json.loads(answer.read() or b"null")}
        except urllib.error.HTTPError as error:
            return {"status": error.code, "body": error.read().decode()}

    def end(self) -> str:
        self.ended = True
        return "ending"


def _elements(sequence: Any) -> list[Any]:
    return [sequence.apply(index) for index in range(sequence.size())]


def _look(number: int) -> dict[str, Any]:
    """What --py-files, --files and --archives brought; runs in the driver and in executors."""
    return {
        "double": import_module("helper").double(number),
        "note": Path(SparkFiles.get("note.txt")).read_text(),
        "archive": Path(SparkFiles.get("bundle"), "inside.txt").read_text(),
    }


def _handler(job: Job) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                answer = {"answer": getattr(job, asked["do"])(**asked["with"])}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def main() -> None:
    spark = SparkSession.builder.appName("talk").getOrCreate()
    job = Job(spark)
    server = HTTPServer(("127.0.0.1", PORT), _handler(job))
    server.timeout = 600
    print("listening", sys.argv[1:], flush=True)
    while not job.ended:
        server.handle_request()
    spark.stop()
    print(json.dumps("ended"))


main()
