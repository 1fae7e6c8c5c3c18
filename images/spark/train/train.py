"""Make the class data archive: JVMs of this image then start with Spark's classes loaded and verified.

A driver (a gateway JVM that runs SparkSubmit, as Ember's worker does) and an executor, each in a JVM of its own, run a
job against the worker's stand-ins for the pods API and S3. What the two load goes into one archive for both.
"""

import logging
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import arguments
import tls
from py4j.java_gateway import GatewayParameters, JavaGateway
from py4j.protocol import Py4JJavaError

from ember.worker.warm import pods, store

GATEWAY = "org.apache.spark.api.python.PythonGatewayServer"
ENOUGH_SECONDS = 300.0
EXECUTOR = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
JAVA = ["java", f"@{arguments.ARGUMENTS}"]
STARTED = time.monotonic()
# Only what is loaded counts: compile quickly and little, touch little memory.
HURRY = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m"]


def main() -> None:
    """Train, then write the arguments that use the archive."""
    # The gateway goes away before its last Python objects do.
    logging.getLogger("py4j").setLevel(logging.CRITICAL + 1)
    arguments.write(archive=None)
    with tempfile.TemporaryDirectory() as directory:
        # Nothing of the training may stay in the image, and a builder's host name need not resolve.
        own = {"HOME": directory, "TMPDIR": directory, "SPARK_LOCAL_DIRS": f"{directory}/local"}
        host = {"SPARK_LOCAL_HOSTNAME": "localhost", "SPARK_LOCAL_IP": "127.0.0.1"}
        train(Path(directory), {**os.environ, **own, **host})
    arguments.ARCHIVE.chmod(0o644)
    arguments.write(arguments.ARCHIVE)
    say(f"the archive has {arguments.ARCHIVE.stat().st_size >> 20} MB")


def say(what: str) -> None:
    """Print how far it is."""
    print(f"training: {what} after {time.monotonic() - STARTED:.1f} s", flush=True)


def train(work: Path, env: dict[str, str]) -> None:
    """Run the job, load into the driver what only the executor has loaded, and let the driver write the archive."""
    executors: list[subprocess.Popen[bytes]] = []
    codes: list[int] = []
    api = pods.start(lambda pod: executors.append(start_executor(pod, work, env)))
    s3 = store.start({"in/a.txt": b"the quick brown fox jumps\n" * 100, "logs/": b""})
    info = work / "gateway"
    dump = [f"-XX:ArchiveClassesAtExit={arguments.ARCHIVE}", f"-XX:DumpLoadedClassList={work}/driver.classes"]
    command = [*JAVA, *HURRY, *dump, *tls.make_keys(work), GATEWAY]
    driver = subprocess.Popen(command, env={**env, "_PYSPARK_DRIVER_CONN_INFO_PATH": str(info)}, stdin=subprocess.PIPE)
    try:
        jvm = connect(driver, info)
        submit(jvm, settings(api.url, s3.url), Path(__file__).with_name("job.py"))
        codes = [executor.wait(ENOUGH_SECONDS) for executor in executors]
        say("the job is done")
        tls.shake_hands(jvm, work)
        load(jvm, listed(work / "executor.classes") - listed(work / "driver.classes"))
    finally:
        driver.communicate(timeout=ENOUGH_SECONDS)  # the gateway ends when its input is closed
    if any([*codes, driver.returncode]):
        sys.exit(f"The training failed: exit codes {codes} and {driver.returncode}.")


def settings(api: str, s3: str) -> dict[str, str]:
    """Return the job's settings: those of real jobs, as far as they load classes."""
    return {
        "spark.master": f"k8s://{api}",
        "spark.app.id": "training",
        "spark.pyspark.python": sys.executable,
        "spark.kubernetes.container.image": "none",
        "spark.kubernetes.driver.pod.name": pods.DRIVER,
        "spark.kubernetes.authenticate.oauthToken": "none",
        "spark.kubernetes.executor.disableConfigMap": "true",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.port": "0",
        "spark.executor.instances": "1",
        "spark.executor.memory": "512m",
        "spark.scheduler.minRegisteredResourcesRatio": "0",
        "spark.sql.shuffle.partitions": "2",
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.io.encryption.enabled": "true",
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.maxExecutors": "1",
        "spark.dynamicAllocation.executorIdleTimeout": "1h",
        "spark.decommission.enabled": "true",
        "spark.storage.decommission.enabled": "true",
        "spark.storage.decommission.shuffleBlocks.enabled": "true",
        "spark.storage.decommission.fallbackStorage.path": "s3://b/fallback/",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": "s3://b/logs/",
        "spark.hadoop.fs.s3a.endpoint": s3,
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "spark.hadoop.fs.s3a.access.key": "training",
        "spark.hadoop.fs.s3a.secret.key": "training",
    }


def connect(driver: "subprocess.Popen[bytes]", info: Path) -> Any:
    """Return the gateway's view of the driver's JVM."""
    while not info.exists():
        if driver.poll() is not None:
            sys.exit("The gateway did not start.")
        time.sleep(0.05)
    port, length = struct.unpack("!ii", info.read_bytes()[:8])
    token = info.read_bytes()[8 : 8 + length].decode()
    return JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token)).jvm


def submit(jvm: Any, conf: dict[str, str], job: Path) -> None:
    """Run a job by SparkSubmit in the driver's JVM."""
    words = [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")] + [str(job)]
    jvm.org.apache.spark.deploy.SparkSubmit.main(jvm.java.util.regex.Pattern.compile("\x01").split("\x01".join(words)))


def listed(path: Path) -> set[str]:
    """Return the names of a JVM's class list, save what class loaders of a job have loaded."""
    lines = [line for line in path.read_text().splitlines() if line[:1] not in "#@[" and " source: " not in line]
    return {line.partition(" ")[0].replace("/", ".") for line in lines}


def load(jvm: Any, classes: set[str]) -> None:
    """Load classes into a JVM."""
    loader = jvm.java.lang.ClassLoader.getSystemClassLoader()
    failed = 0
    for name in sorted(classes):
        try:
            jvm.java.lang.Class.forName(name, False, loader)
        except Py4JJavaError:  # one that is made at run time
            failed += 1
    say(f"{len(classes) - failed} classes which only the executor had are loaded, {failed} are not")


def start_executor(pod: pods.Pod, work: Path, env: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start the executor that a posted pod describes."""
    asked = pods.executor_part(pod)
    words = {
        "--driver-url": asked["driverUrl"],
        "--executor-id": asked["executorId"],
        "--cores": asked["cores"],
        "--app-id": asked["appId"],
        "--resourceProfileId": asked["resourceProfileId"],
        "--hostname": "127.0.0.1",
        "--podName": pod["metadata"]["name"],
    }
    listing = f"-XX:DumpLoadedClassList={work}/executor.classes"
    command = [
        *JAVA,
        *HURRY,
        listing,
        *asked["javaOptions"],
        EXECUTOR,
        *(word for pair in words.items() for word in pair),
    ]
    given = {item["name"]: item.get("value", "") for item in pod["spec"]["containers"][0]["env"]}
    return subprocess.Popen(command, env={**env, **given}, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
