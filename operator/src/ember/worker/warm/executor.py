"""An executor's rehearsal: Spark's backend serves a throw-away driver in this pod, then lets go of it."""

import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ember.worker import executor
from ember.worker.assignment import executor_part
from ember.worker.jvm import Gateway
from ember.worker.processes import Child, Supervisor
from ember.worker.submit import MAIN_CLASS
from ember.worker.warm import files, pods
from ember.worker.warm.loopback import Server
from ember.worker.warm.stage import Stage

CONTEXTS = ("words,query", "task")
# More of them cost the throw-away driver less than more jobs, and are as much work for the executor.
TASKS = 2
# The driver lives for seconds, beside what it must not push out: quick to start, small, with no threads to spare.
_SMALL = (
    "-XX:TieredStopAtLevel=1",
    "-XX:CompileThresholdScaling=4",
    "-XX:+UseSerialGC",
    "-XX:MetaspaceSize=192m",
    "-Xms192m",
    "-Xmx512m",
)
_PATIENCE_SECONDS = 600.0


@dataclass
class Partner:
    """The throw-away driver and the pods API that it asks for its executor."""

    child: Child
    api: Server
    posted: "queue.SimpleQueue[pods.Pod]"

    def asks(self, served: set[str]) -> dict[str, Any]:
        """What its next context wants its executor to be; one that is over may have asked for another at its end."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and not self.child.ended:
            with contextlib.suppress(queue.Empty):
                part = pods.executor_part(self.posted.get(timeout=0.2))
                if part["appId"] not in served:
                    served.add(part["appId"])
                    return part
        raise RuntimeError("the rehearsal's driver asked for no executor")


def invite(stage: Stage, supervisor: Supervisor, env: Mapping[str, str]) -> Partner:
    """Start the throw-away driver; it boots beside the executor's JVM."""
    posted: queue.SimpleQueue[pods.Pod] = queue.SimpleQueue()
    api = pods.start(posted.put)
    conf = stage.kubernetes(api.url) | {
        "spark.eventLog.enabled": "false",
        "spark.executor.instances": "1",
        "spark.executor.cores": "2",
        "spark.executor.memory": "512m",
        "spark.dynamicAllocation.enabled": "false",
    }
    paths = stage.settings.paths
    command = [str(paths.java), f"@{paths.java_args}", *_SMALL, MAIN_CLASS]
    command += stage.arguments(CONTEXTS, TASKS, conf)
    return Partner(supervisor.start(command, env, stage.folder, output=stage.log), api, posted)


def rehearse(stage: Stage, gateway: Gateway, partner: Partner, mark: Callable[[str], None]) -> None:
    """Serve the driver until it stops."""
    try:
        files.rehearse(stage, gateway)  # the driver boots meanwhile
        mark("files")
        served: set[str] = set()
        for context in CONTEXTS:
            if context == CONTEXTS[-1]:
                gateway.collect_garbage()
            with gateway.callbacks():
                _serve(stage, gateway, partner.asks(served))
            mark("served")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not partner.child.ended and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        partner.api.close()
    if partner.child.status != 0:
        raise RuntimeError(f"the rehearsal's driver ended with {partner.child.status}")


def _serve(stage: Stage, gateway: Gateway, asked: dict[str, Any]) -> None:
    part, settings = executor_part(asked), stage.actor()
    gateway.set_properties(executor.system_properties(settings, part, {"spark-auth": ""}))
    backend = gateway.java_class(executor.MAIN_CLASS)
    words = gateway.strings(executor.arguments(settings, part))
    # Not main: it ends in System.exit.
    backend.run(backend.parseArguments(words, "rehearsal"), _Create(gateway))


class _Create:
    """Makes the backend, as the function in Spark's own main does."""

    class Java:
        implements = ("scala.Function5",)

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def apply(self, rpc: Any, arguments: Any, env: Any, profile: Any, executor_id: str) -> Any:
        """Called by the JVM."""
        backend = self._gateway.java_class("org.apache.spark.executor.CoarseGrainedExecutorBackend")
        return backend(
            rpc,
            arguments.driverUrl(),
            executor_id,
            arguments.bindAddress(),
            arguments.hostname(),
            arguments.cores(),
            env,
            arguments.resourcesFileOpt(),
            profile,
        )
