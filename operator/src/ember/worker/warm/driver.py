"""A driver's rehearsals: one job run in this JVM alone, then contexts that ask the pods API for executors."""

from ember.worker.jvm import Gateway
from ember.worker.submit import MAIN_CLASS
from ember.worker.warm import pods
from ember.worker.warm.stage import Stage

# As often as a further one still makes the next start faster.
LOCAL_ROUNDS = 2
KUBERNETES_CONTEXTS = 2
# Nobody connects to a context in local mode; one that makes up a secret leaves it in the JVM.
_OPEN = {"spark.authenticate": "false", "spark.network.crypto.enabled": "false"}
_ELASTIC = {
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.initialExecutors": "1",
    "spark.dynamicAllocation.maxExecutors": "2",
    "spark.decommission.enabled": "true",
    "spark.storage.decommission.enabled": "true",
    "spark.storage.decommission.shuffleBlocks.enabled": "true",
}


def rehearse(stage: Stage, gateway: Gateway) -> None:
    """Run them one after the other; a failing one ends the JVM."""

    def submit(rounds: int, conf: dict[str, str]) -> None:
        gateway.java_class(MAIN_CLASS).main(gateway.strings(stage.arguments(rounds, conf)))

    submit(LOCAL_ROUNDS, {"spark.master": "local[1]", **_OPEN})
    api = pods.start(lambda _: None)
    try:
        fallback = {"spark.storage.decommission.fallbackStorage.path": f"{stage.base}/shuffle/"}
        for _ in range(KUBERNETES_CONTEXTS):
            submit(0, {**stage.kubernetes(api.url), **_ELASTIC, **fallback})
    finally:
        api.close()
