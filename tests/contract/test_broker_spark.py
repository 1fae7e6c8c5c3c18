"""A real, unmodified Spark driver runs against the broker: the served part of the Kubernetes API is the right one.

The executors are plain processes which a stand-in for handlers and kubelet starts and ends.
"""

import asyncio
import importlib.util
import os
import shutil
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ember.kube.index import Change, Kind, key_of
from ember.model import labels
from ember.plan import ids
from ember.plan.facts import ExecutorRequest, WorkerReport
from tests.support.broker_world import NAMESPACE, PODS, RUN_UID, Object, World, executor_pod

DRIVER = """
    import os, time
    from pyspark import SparkContext
    sc = SparkContext()
    def met(task):
        # Each task waits for a task on another executor, so the job ends only if two of them work at the same time.
        import os, time
        folder = os.environ["MEETING"] + "/" + task
        os.makedirs(folder, exist_ok=True)
        open(folder + "/" + os.environ["SPARK_EXECUTOR_ID"], "w").close()
        while len(os.listdir(folder)) < 2: time.sleep(0.05)
        return os.environ["SPARK_EXECUTOR_ID"]
    def run(name): print(name, *sorted(set(sc.parallelize([name] * 2, 2).map(met).collect())), flush=True)
    run("first")
    while not os.path.exists("killed"): time.sleep(0.05)      # the test kills an executor
    run("second")
    while sc._jsc.sc().getExecutorMemoryStatus().size() > 1: time.sleep(0.1)      # dynamic allocation ends them
    print("idle", flush=True)
    sc.stop()
    print("stopped", flush=True)
"""
TIMEOUT = 400  # about 30 s on two idle cores


def spark_home() -> Path:
    """The folder of pyspark: SPARK_HOME, or the installed package."""
    if os.environ.get("SPARK_HOME"):
        return Path(os.environ["SPARK_HOME"])
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None or shutil.which("java") is None:
        pytest.skip("needs Java 17 and pyspark 4.1.2 (installed, or named by SPARK_HOME)")
    return Path(found.origin).parent


class Node:
    """Grants what waits, two at a time, and runs executors as processes: handlers and kubelet in a few lines."""

    def __init__(self, world: World, folder: Path, room: int = 2) -> None:
        self.world, self.folder, self.room = world, folder, room
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self.granted: list[str] = []
        self.stopped: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken: set[str] = set()
        self._unsubscribe = world.index.subscribe(self._changed)

    def _changed(self, change: Change) -> None:
        if change.kind in (Kind.WAITING, Kind.POD):
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        for request in sorted(self.world.index.all(Kind.WAITING), key=lambda r: int(r.executor_id)):
            if len(self._taken) < self.room and request.pod_name not in self._taken:
                self._taken.add(request.pod_name)
                self._start(self._run(request))
        for pod in self.world.index.all(Kind.POD):
            name = pod["metadata"]["name"]
            if labels.STOP in pod["metadata"]["annotations"] and name in self.processes and name not in self.stopped:
                self.stopped.append(name)
                if self.processes[name].returncode is None:
                    self.processes[name].terminate()

    async def _run(self, request: ExecutorRequest) -> None:
        pod = await self.world.applier.create_pod(executor_pod(request))
        self.world.index.remove_waiting(key_of(pod))
        process = self.processes[request.pod_name] = await self._executor(request)
        self.granted.append(request.executor_id)
        code = await process.wait()
        report = WorkerReport("ended", time.time(), code if code >= 0 else 128 - code)
        self.world.index.report(pod, report)
        if pod["metadata"]["name"] in self.stopped:
            await self.world.applier.delete_pod(*key_of(pod), pod["metadata"]["uid"])
        self._taken.discard(request.pod_name)
        self._look()

    async def _executor(self, request: ExecutorRequest) -> asyncio.subprocess.Process:
        arguments = {
            "--driver-url": request.driver_url,
            "--executor-id": request.executor_id,
            "--cores": str(request.cores),
            "--app-id": request.app_id,
            "--hostname": "127.0.0.1",
            "--resourceProfileId": request.resource_profile_id,
            "--podName": request.pod_name,
        }
        return await asyncio.create_subprocess_exec(
            "java",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xmx512m",
            *request.java_options,
            f"-Dspark.authenticate.secret.file={self.folder}/auth",
            "-Dspark.master=k8s://ember",  # else Spark does not look for the file
            "-cp",
            f"{spark_home()}/jars/*",
            "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend",
            *(word for pair in arguments.items() for word in pair),
            env={**environment(self.folder), "SPARK_EXECUTOR_ID": request.executor_id},
            cwd=self.folder,
            stdout=(self.folder / f"executor-{request.executor_id}.log").open("wb"),
            stderr=asyncio.subprocess.STDOUT,
        )

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        self._unsubscribe()
        for process in self.processes.values():
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "SPARK_USER": "spark",
        "MEETING": str(folder / "meeting"),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(str(path) for path in (spark_home() / "python" / "lib").glob("*.zip")),
        "KUBECONFIG": "/nonexistent",
    }


def properties(world: World, driver: Object, url: str, folder: Path) -> dict[str, str]:
    (folder / "token").write_text(world.token_of(driver))
    (folder / "auth").write_text(world.deriver.spark_secret(RUN_UID, 1))
    return {
        "spark.master": f"k8s://{url}",
        "spark.submit.deployMode": "client",
        "spark.app.id": ids.external_id(RUN_UID),
        "spark.kubernetes.namespace": NAMESPACE,
        "spark.kubernetes.driver.pod.name": driver["metadata"]["name"],
        "spark.kubernetes.authenticate.oauthTokenFile": str(folder / "token"),
        "spark.kubernetes.authenticate.caCertFile": str(folder / "ca.crt"),
        "spark.kubernetes.container.image": "decided-by-ember",
        "spark.kubernetes.executor.disableConfigMap": "true",
        "spark.kubernetes.allocation.batch.size": "50",
        "spark.kubernetes.allocation.batch.delay": "200ms",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "512m",
        "spark.executor.cores": "1",
        "spark.executor.memory": "512m",
        "spark.authenticate": "true",
        # By file: with a k8s master Spark ignores spark.authenticate.secret and makes up its own.
        "spark.authenticate.secret.driver.file": str(folder / "auth"),
        "spark.authenticate.secret.executor.file": str(folder / "auth"),
        "spark.network.crypto.enabled": "true",
        "spark.ui.enabled": "false",
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.initialExecutors": "2",
        "spark.dynamicAllocation.maxExecutors": "4",
        "spark.dynamicAllocation.executorIdleTimeout": "3s",
        "spark.decommission.enabled": "true",
    }


@pytest.fixture
async def world() -> AsyncIterator[World]:
    yield World()


@asynccontextmanager
async def submitted(world: World, folder: Path, job: str, **changes: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A driver as a process that speaks to the broker, for at most TIMEOUT."""
    driver = await world.start_run()
    (folder / "job.py").write_text(textwrap.dedent(job))
    async with world.serve() as (url, ca):
        (folder / "ca.crt").write_text(ca)
        settings = properties(world, driver, url, folder) | changes
        process = await asyncio.create_subprocess_exec(
            str(spark_home() / "bin" / "spark-submit"),
            *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")),
            str(folder / "job.py"),
            env={**environment(folder), "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"},
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=(folder / "driver.log").open("wb"),
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                yield process
        finally:
            if process.returncode is None:
                process.kill()


async def test_an_executor_that_a_broker_forgot_before_spark_saw_it_is_asked_for_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(world.index, "add_waiting", lambda request: asked.put_nowait(request.executor_id))
    job = "import time; from pyspark import SparkContext; SparkContext(); time.sleep(600)"
    brief = {"spark.kubernetes.allocation.executor.timeout": "3s", "spark.dynamicAllocation.initialExecutors": "1"}
    async with submitted(world, tmp_path, job, **brief):
        assert [await asked.get(), await asked.get()] == ["1", "2"]


async def test_a_spark_job_runs_loses_an_executor_and_gives_executors_back(world: World, tmp_path: Path) -> None:
    node = Node(world, tmp_path)
    try:
        async with submitted(world, tmp_path, DRIVER) as process:
            await expect_job(world, node, process)
            assert await process.wait() == 0
    finally:
        await node.close()


async def expect_job(world: World, node: Node, process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    lines = process.stdout

    async def line(word: str) -> list[str]:
        async for raw in lines:
            words = raw.decode().split()
            if words[:1] == [word]:
                return words[1:]
        pytest.fail(f"the driver ended before it said {word!r}")

    assert await line("first") == ["1", "2"], "both executors work, and no executor id was burned by a refusal"
    first = next(name for name in node.processes if name.endswith("-exec-1"))
    node.processes[first].send_signal(signal.SIGKILL)
    (node.folder / "killed").touch()
    ran = await line("second")
    assert len(ran) == 2, "the job ran to its end"
    assert "1" not in ran, "another executor took the killed one's place"

    await line("idle")
    assert node.stopped, "dynamic allocation told executors to stop, through their pods' annotation"
    await line("stopped")
    assert await settled(lambda: not world.index.all(Kind.WAITING)), "nothing waits for a stopped context"
    assert await settled(lambda: all(p.returncode is not None for p in node.processes.values()))
    driver = ids.driver_pod_name("etl", RUN_UID, 1)
    assert ("DELETE", f"{PODS}/{driver}") not in world.cluster.sent, "a driver cannot delete itself"


async def settled(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:  # noqa: ASYNC110  there is no event: processes end by themselves
        await asyncio.sleep(0.05)
    return condition()
