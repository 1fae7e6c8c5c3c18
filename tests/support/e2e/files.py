"""What the jobs of the tests need in the store: scripts, jars, archives, a Maven repository."""

import io
import json
import zipfile
from typing import Any

from botocore.exceptions import ClientError

from local.store import ENDPOINT
from tests.support.e2e.cluster import Cluster
from tests.support.e2e.manifests import JOBS

BUCKET = "demo"
FILES = "s3://demo/e2e/files"
EXAMPLES_JAR = "s3://demo/e2e/jars/spark-examples.jar"
EXAMPLES_JAR_IN_IMAGE = "/opt/spark/examples/jars/spark-examples.jar"
MAVEN_BUCKET = "e2e-maven"
MAVEN = f"{ENDPOINT}/{MAVEN_BUCKET}/"
PACKAGE = "org.example.e2e:greeting:1.0"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org.example.e2e</groupId><artifactId>greeting</artifactId><version>1.0</version></project>
"""


def upload(cluster: Cluster) -> None:
    """Put everything where the manifests say it is."""
    client = cluster.store
    for path in JOBS.glob("*.py"):
        _put(client, BUCKET, f"e2e/jobs/{path.name}", path.read_bytes())
    _put(client, BUCKET, "e2e/files/helper.py", (JOBS / "helper.py").read_bytes())
    _put(client, BUCKET, "e2e/files/note.txt", "a note, with ümlauts".encode())
    _put(client, BUCKET, "e2e/files/bundle.zip", _zip({"inside.txt": "from the archive"}))
    _put(client, BUCKET, "e2e/files/e2e.jar", _zip({"e2e-jar.txt": "from --jars"}))
    _maven_repository(client)
    _examples_jar(cluster)


def _maven_repository(client: Any) -> None:
    """A repository that may be read without keys, as Ivy does."""
    if MAVEN_BUCKET not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=MAVEN_BUCKET)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{MAVEN_BUCKET}/*"],
    }
    client.put_bucket_policy(
        Bucket=MAVEN_BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    base = "org/example/e2e/greeting/1.0/greeting-1.0"
    _put(client, MAVEN_BUCKET, f"{base}.pom", POM.encode())
    _put(client, MAVEN_BUCKET, f"{base}.jar", _zip({"e2e-package.txt": "from --packages"}))


def _examples_jar(cluster: Cluster) -> None:
    """Spark's examples as a jar in the store: it is taken from the image, once for each cluster."""
    key = EXAMPLES_JAR.removeprefix(f"s3://{BUCKET}/")
    try:
        cluster.store.head_object(Bucket=BUCKET, Key=key)
    except ClientError:
        image = cluster.settings()["releases"]["spark-4.1.2"]["image"]
        _put(cluster.store, BUCKET, key, cluster.file_of_image(image, EXAMPLES_JAR_IN_IMAGE))


def _put(client: Any, bucket: str, key: str, content: bytes) -> None:
    client.put_object(Bucket=bucket, Key=key, Body=content)


def _zip(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()
