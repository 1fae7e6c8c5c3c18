"""The other side: plain `spark-submit --deploy-mode cluster`, from a pod, of the same image, job and sizes."""

import string
import time
from pathlib import Path
from typing import Any

from local import results
from local.kubectl import Kubectl
from local.store import ENDPOINT, REGION, keys
from tests.bench.measured import REST_SECONDS, Start, from_events

NAMESPACE = "ember-bench"
MANIFEST = Path(__file__).with_name("plain.yaml")
EVENT_LOGS = "s3://demo/bench/plain/"
POD_FILE = "/plain/pod.yaml"


class Plain:
    """Submits runs by spark-submit."""

    def __init__(self, cluster: Kubectl, store: Any, image: str, conf: dict[str, str], arguments: list[str]) -> None:
        self._cluster, self._store, self._image = cluster, store, image
        self._conf, self._arguments = conf, arguments

    def prepare(self) -> None:
        """Make the namespace, the account and the client's pod."""
        self._cluster.apply(string.Template(MANIFEST.read_text()).substitute(image=self._image))
        ready = ("wait", "-n", NAMESPACE, "--for=condition=Ready", "pod/client", "--timeout=120s")
        self._cluster.run(*ready, timeout=125)

    def remove(self) -> None:
        """Delete all of it."""
        self._cluster.run("delete", "namespace", NAMESPACE, "--wait=false")

    def start(self, number: int) -> Start:
        """Submit one run; the clock starts when spark-submit does, inside the pod."""
        event_log = f"{EVENT_LOGS}{time.time_ns()}/"
        bucket, key = results.split_uri(event_log)
        self._store.put_object(Bucket=bucket, Key=key, Body=b"")
        conf = [part for name, value in self._settings(event_log).items() for part in ("--conf", f"{name}={value}")]
        submit = ["spark-submit", "--deploy-mode", "cluster", "--name", f"plain-{number}", *conf, *self._arguments]
        command = ["bash", "-c", 'date +%s.%N; "$0" "$@" >/tmp/submit.log 2>&1; date +%s.%N']
        time.sleep(REST_SECONDS)
        said = self._cluster.run("exec", "-n", NAMESPACE, "client", "--", *command, *submit, timeout=180)
        asked, ended = said.split()
        self._check(number)
        self._cluster.run("delete", "pods", "-n", NAMESPACE, "-l", "spark-role", timeout=60)
        return from_events(float(asked), float(ended), results.events(self._store, event_log))

    def _check(self, number: int) -> None:
        """Fail with the last words of client and driver unless the run has succeeded: the exit code does not tell."""
        drivers = self._cluster.list("pods", NAMESPACE, "spark-role=driver")
        if [pod["status"]["phase"] for pod in drivers] == ["Succeeded"]:
            return
        client = self._cluster.run("exec", "-n", NAMESPACE, "client", "--", "grep", "-v", "^\tat ", "/tmp/submit.log")
        said = [self._cluster.run("logs", "-n", NAMESPACE, pod["metadata"]["name"], "--tail=40") for pod in drivers]
        raise RuntimeError("\n".join([f"plain-{number} has failed", client, *said]))

    def _settings(self, event_log: str) -> dict[str, str]:
        held = keys()
        return {
            **self._conf,
            "spark.master": "k8s://https://kubernetes.default.svc",
            "spark.kubernetes.namespace": NAMESPACE,
            "spark.kubernetes.authenticate.driver.serviceAccountName": "spark",
            "spark.kubernetes.container.image": self._image,
            "spark.kubernetes.driver.podTemplateFile": POD_FILE,
            "spark.kubernetes.executor.podTemplateFile": POD_FILE,
            # As patient with a busy machine as Ember's drivers are.
            "spark.kubernetes.submission.connectionTimeout": "60000",
            "spark.kubernetes.submission.requestTimeout": "120000",
            "spark.kubernetes.driver.connectionTimeout": "60000",
            "spark.kubernetes.driver.requestTimeout": "120000",
            # What Ember's workers ask for in this cluster.
            "spark.kubernetes.driver.request.cores": "0.05",
            "spark.kubernetes.executor.request.cores": "0.05",
            "spark.executor.instances": "1",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.rolling.enabled": "true",
            "spark.eventLog.dir": event_log,
            "spark.hadoop.fs.s3a.endpoint": ENDPOINT,
            "spark.hadoop.fs.s3a.endpoint.region": REGION,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
            "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
            "spark.hadoop.fs.s3a.access.key": held.access_key,
            "spark.hadoop.fs.s3a.secret.key": held.secret_key,
            # Where Ember's pods have volumes, plain ones have their own file system.
            "spark.hadoop.fs.s3a.buffer.dir": "/tmp/s3a",
            "spark.jars.ivy": "/tmp/ivy",
        }
