"""The answers to the kubelet's probes."""

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor

from ember.worker.warm.ready import Readiness


def test_the_start_is_answered_when_the_worker_is_warm_and_not_before() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    readiness = Readiness("127.0.0.1", port)

    def ask(path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path)
        return connection.getresponse().status

    with ThreadPoolExecutor(1) as background:
        started = background.submit(ask, "/warm")
        assert ask("/ready") == 503
        assert ask("/") == 404
        assert not started.done()
        readiness.ready()
        assert started.result(10) == 200
    assert ask("/ready") == 200
