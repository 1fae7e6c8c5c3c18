"""Load what TLS needs, which no stand-in speaks: Kubernetes' client shakes hands with a server in the same JVM."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError

_PASSWORD = "training"  # noqa: S105 - of a key that lives as long as the training
_PATIENCE_SECONDS = 10.0


def make_keys(work: Path) -> list[str]:
    """Make the server's key and certificate; returns the options with which a JVM has them."""
    keys = work / "keys"
    _keytool(keys, "-genkeypair", "-keyalg", "EC", "-dname", "CN=localhost", "-ext", "SAN=IP:127.0.0.1")
    _keytool(keys, "-exportcert", "-rfc", "-file", str(work / "certificate"))
    return [f"-Djavax.net.ssl.keyStore={keys}", f"-Djavax.net.ssl.keyStorePassword={_PASSWORD}"]


def shake_hands(jvm: Any, work: Path) -> None:
    """Connect once, as a driver connects to the broker; the server says nothing."""
    server = jvm.javax.net.ssl.SSLServerSocketFactory.getDefault().createServerSocket(0)
    shaken = threading.Event()

    def serve() -> None:
        connection = server.accept()
        connection.startHandshake()
        shaken.set()
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    kubernetes = jvm.io.fabric8.kubernetes.client
    config = kubernetes.ConfigBuilder().withMasterUrl(f"https://127.0.0.1:{server.getLocalPort()}")
    config = config.withCaCertFile(str(work / "certificate")).withOauthToken("none").withRequestRetryBackoffLimit(0)
    client = kubernetes.KubernetesClientBuilder().withConfig(config.build()).build()
    try:
        client.pods().inNamespace("default").withName("training").get()
    except Py4JJavaError as error:
        if not shaken.wait(_PATIENCE_SECONDS):
            sys.exit(f"No handshake: {error}")
    finally:
        client.close()


def _keytool(keys: Path, *words: str) -> None:
    store = ["-alias", "training", "-keystore", str(keys), "-storepass", _PASSWORD]
    subprocess.run(["keytool", *words, *store], check=True, capture_output=True)
