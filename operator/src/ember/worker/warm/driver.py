"""A driver's rehearsals: one job run in this JVM alone, then contexts that ask the pods API for executors."""

from collections.abc import Callable

from py4j.protocol import Py4JJavaError

from ember.worker.jvm import Gateway
from ember.worker.submit import MAIN_CLASS
from ember.worker.warm import files, pods
from ember.worker.warm.stage import Stage

# As often as a further one still makes the next start faster.
TEXTS = 6
KUBERNETES_CONTEXTS = 6
HANDSHAKES = 8
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


def rehearse(stage: Stage, gateway: Gateway, mark: Callable[[str], None]) -> None:
    """Run them one after the other; a failing one ends the JVM."""

    def submit(texts: int, conf: dict[str, str]) -> None:
        gateway.java_class(MAIN_CLASS).main(gateway.strings(stage.arguments(texts, 1, conf)))

    files.rehearse(stage, gateway)
    mark("files")
    submit(TEXTS, {"spark.master": "local[1]", **_OPEN})
    mark("local")
    api = pods.start(lambda _: None)
    try:
        fallback = {"spark.storage.decommission.fallbackStorage.path": f"{stage.base}/shuffle/"}
        for _ in range(KUBERNETES_CONTEXTS):
            submit(0, {**stage.kubernetes(api.url), **_ELASTIC, **fallback})
    finally:
        api.close()
    mark("kubernetes")
    _ask_the_broker(stage, gateway)


def _ask_the_broker(stage: Stage, gateway: Gateway) -> None:
    """Rehearse TLS, which no stand-in speaks: ask the broker for a pod as Spark's client would; it refuses."""
    settings = stage.settings
    builder = gateway.java_class("io.fabric8.kubernetes.client.ConfigBuilder")()
    builder = builder.withMasterUrl(settings.broker_url).withCaCertFile(str(settings.paths.run / "broker-ca.crt"))
    builder = builder.withOauthToken("rehearsal").withAutoConfigure(False).withRequestRetryBackoffLimit(0)
    clients = gateway.java_class("io.fabric8.kubernetes.client.KubernetesClientBuilder")()
    for _ in range(HANDSHAKES):
        client = clients.withConfig(builder.build()).build()
        try:
            client.pods().inNamespace("default").withName("rehearsal").get()
        except Py4JJavaError:  # the token is of nobody
            pass
        finally:
            client.close()
