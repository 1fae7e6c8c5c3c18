"""A driver's rehearsals: one job run in this JVM alone, then contexts that ask the pods API for executors."""

import json
from collections.abc import Callable, Sequence

from py4j.protocol import Py4JJavaError

from ember.worker.jvm import Gateway
from ember.worker.submit import MAIN_CLASS
from ember.worker.warm import files, pods
from ember.worker.warm.stage import Stage

# As little as it takes: no quicker start was seen with more of it. Words once more, as they come after the collection;
# all in one context, for those on Kubernetes come after it anyway.
LOCAL = ("words,join,collect,words",)
KUBERNETES_CONTEXTS = 2
HANDSHAKES = 4
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

    def submit(contexts: Sequence[str], conf: dict[str, str]) -> None:
        gateway.java_class(MAIN_CLASS).main(gateway.strings(stage.arguments(contexts, 1, conf)))

    files.rehearse(stage, gateway)
    mark("files")
    submit(LOCAL, {"spark.master": "local[1]", **_OPEN})
    mark("local")
    posted: list[pods.Pod] = []

    def hear(pod: pods.Pod) -> None:
        posted.append(pod)
        stage.asked.touch()

    api = pods.start(hear)
    try:
        fallback = {"spark.storage.decommission.fallbackStorage.path": f"{stage.base}/shuffle/"}
        for _ in range(KUBERNETES_CONTEXTS):
            stage.asked.unlink(missing_ok=True)
            submit(("plan,call",), {**stage.kubernetes(api.url), **_ELASTIC, **fallback})
    finally:
        api.close()
    mark("kubernetes")
    _ask_the_broker(stage, gateway, json.dumps(posted[-1] if posted else {}))


def _ask_the_broker(stage: Stage, gateway: Gateway, pod: str) -> None:
    """Rehearse TLS, which no stand-in speaks: ask the broker for a pod as Spark's client would; it refuses.

    Each client finds out anew how to read and write pods; so it does that, too.
    """
    settings = stage.settings
    builder = gateway.java_class("io.fabric8.kubernetes.client.ConfigBuilder")()
    builder = builder.withMasterUrl(settings.broker_url).withCaCertFile(str(settings.paths.run / "broker-ca.crt"))
    builder = builder.withOauthToken("rehearsal").withAutoConfigure(False).withRequestRetryBackoffLimit(0)
    clients = gateway.java_class("io.fabric8.kubernetes.client.KubernetesClientBuilder")()
    pod_class = gateway.java_class("java.lang.Class").forName("io.fabric8.kubernetes.api.model.Pod")
    for _ in range(HANDSHAKES):
        client = clients.withConfig(builder.build()).build()
        text = client.getKubernetesSerialization()
        text.asJson(text.unmarshal(pod, pod_class))
        try:
            client.pods().inNamespace("default").withName("rehearsal").get()
        except Py4JJavaError:  # the token is of nobody
            pass
        finally:
            client.close()
