"""The object store of the demo and of the tests: MinIO in the cluster, with its keys and buckets."""

import json
import secrets
import stat
import string
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from local import console
from local.data import Data
from local.errors import LocalError
from local.kubectl import Kubectl, Object
from local.paths import state_dir
from local.rollout import ready, rolled_out, wait_until

NAMESPACE = "ember-demo"
ENDPOINT = f"http://minio.{NAMESPACE}.svc:9000"
"""The store's address inside the cluster."""
REGION = "us-east-1"
BUCKETS = ("demo", "ember-managed")
MANIFEST = Path(__file__).parent / "manifests" / "minio.yaml"
# On the pod, because the data live and die with it.
DATA_MARK = "ember-spark.io/demo-data"
START_SECONDS = 120.0


@dataclass(frozen=True)
class Keys:
    """The store's root credentials, made once for each cluster."""

    access_key: str
    secret_key: str


def keys() -> Keys:
    """Return the keys of this cluster's store; the first call makes them."""
    path = state_dir() / "store.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = Keys(secrets.token_hex(10), secrets.token_urlsafe(30))
        scratch = path.with_suffix(".new")
        scratch.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
        scratch.write_text(json.dumps(asdict(made)))
        scratch.replace(path)
    return Keys(**json.loads(path.read_text()))


class Store:
    """The store of one cluster, seen from this machine."""

    def __init__(self, cluster: Kubectl) -> None:
        self._cluster = cluster

    @cached_property
    def endpoint(self) -> str:
        """The address for programs on this machine: the Service's port on the node."""
        service = self._cluster.get("service", "minio", NAMESPACE)
        if service is None:
            raise LocalError("There is no store: `make install` deploys it.")
        (node, *_) = self._cluster.list("nodes", "")
        (address,) = [a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"]
        return f"http://{address}:{service['spec']['ports'][0]['nodePort']}"

    @cached_property
    def client(self) -> Any:
        """A boto3 client of it."""
        # Imported late: loading boto3 takes longer than all of an `install` that finds nothing to do.
        import boto3
        from botocore.config import Config

        held = keys()
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=held.access_key,
            aws_secret_access_key=held.secret_key,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 5}, max_pool_connections=16),
        )

    def environment(self) -> dict[str, str]:
        """Return what AWS tools need to reach it."""
        held = keys()
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": held.access_key,
            "AWS_SECRET_ACCESS_KEY": held.secret_key,
            "AWS_REGION": REGION,
        }

    def install(self, image: str, data: Data) -> None:
        """Have MinIO run this image, with the buckets and the data in it."""
        pod = self._pod()
        if pod is None or pod["spec"]["containers"][0]["image"] != image or not ready(pod):
            self._deploy(image)
            pod = self._pod()
        if pod is None:
            raise LocalError("MinIO's pod has gone.")
        if pod["metadata"].get("annotations", {}).get(DATA_MARK) != data.key:
            self._fill(data)
            self._cluster.run(
                "annotate", "--overwrite", "pod", pod["metadata"]["name"], "-n", NAMESPACE, f"{DATA_MARK}={data.key}"
            )

    def _deploy(self, image: str) -> None:
        template = string.Template(MANIFEST.read_text())
        with console.step("object store (MinIO) ready"):
            self._cluster.apply(template.substitute(image=image, **asdict(keys())))
            wait_until("MinIO", self._deployed, START_SECONDS, self._cluster, NAMESPACE)

    def _deployed(self) -> bool:
        return rolled_out(self._cluster.get("deployment", "minio", NAMESPACE)) and self._pod() is not None

    def _pod(self) -> Object | None:
        if self._cluster.get("namespace", NAMESPACE) is None:
            return None
        pods = self._cluster.list("pods", NAMESPACE, "app.kubernetes.io/name=minio")
        alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return alive[0] if len(alive) == 1 else None

    def _fill(self, data: Data) -> None:
        with console.step("buckets and data"):
            there = {bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]}
            for bucket in BUCKETS:
                if bucket not in there:
                    self.client.create_bucket(Bucket=bucket)
            data.upload(self.client)


def environment_lines(cluster: Kubectl) -> str:
    """Return the lines of `make store-env`."""
    return "".join(f"{name}={value}\n" for name, value in Store(cluster).environment().items())
