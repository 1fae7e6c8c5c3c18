"""`python -m ember logagent` as the DaemonSet starts it: a TLS broker before it, an S3 server behind it."""

import asyncio
import gzip
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web

from tests.contract.store_server import ACCESS, SECRET, S3Server, free_port
from tests.unit.logagent.fakes import ContainerLog, FakeChannel, order
from tests.unit.logagent.test_channel import certificate


class TlsBroker(FakeChannel):
    """The fake broker behind the real protocol."""

    async def serve(self, directory: Path) -> web.AppRunner:
        """Start; the address is in `url`."""
        (directory / "token").write_text("a-projected-token")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate(directory))
        app = web.Application()
        app.add_routes(
            [
                web.get("/node/v1/pods", self._pods),
                web.post("/node/v1/uploads", self._uploads),
                web.get("/node/v1/credentials", self._credentials),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _pods(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer a-projected-token"
        revision, pods = await self.pods(int(request.query["known"]) if "known" in request.query else None)
        listed = [
            {"uid": pod.uid, "namespace": pod.namespace, "name": pod.name, "container": pod.container,
             "destinations": list(pod.destinations), "ended": pod.ended}
            for pod in pods
        ]  # fmt: skip
        return web.json_response({"revision": revision, "pods": listed})

    async def _uploads(self, request: web.Request) -> web.Response:
        body = await request.json()
        await self.report(body["uid"], complete=body["complete"], error=body["error"])
        return web.Response(status=204)

    async def _credentials(self, request: web.Request) -> web.Response:
        assert request.query["namespace"] == "team-a"
        return web.json_response({"AccessKeyId": ACCESS, "SecretAccessKey": SECRET, "Token": "", "Expiration": ""})


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[TlsBroker]:
    made = TlsBroker()
    runner = await made.serve(tmp_path)
    yield made
    await runner.cleanup()


async def test_the_process(s3_server: S3Server, bucket: str, broker: TlsBroker, tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "releaseNamespace": "ember-system",
        "releases": {"spark-4.1.2": {"image": "spark", "sparkVersion": "4.1.2"}},
        "store": {"endpoint": s3_server.endpoint},
        "logs": {"uploadIntervalSeconds": 1},
        "metricsPort": port,
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    environment = {
        **os.environ, "EMBER_BROKER_URL": broker.url, "EMBER_BROKER_CA": str(tmp_path / "ca.crt"),
        "EMBER_TOKEN_FILE": str(tmp_path / "token"), "EMBER_NODE_LOGS": str(tmp_path / "pods"),
        "EMBER_SCRATCH": str(tmp_path / "scratch"), "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    pod = order(destinations=(f"s3://{bucket}/logs/",))
    log = ContainerLog(tmp_path / "pods", pod)
    broker.say(pod)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ember", "logagent", "--settings", str(tmp_path / "settings.yaml"),
        env=environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        text = log.lines(1000)
        log.end()
        await asyncio.sleep(2)
        broker.say(order(destinations=pod.destinations, ended=True))
        await broker.complete(seconds=20)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http, http.get("/metrics") as answer:
            assert 'ember_log_uploads_total{result="ok"}' in await answer.text()
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 0
    body = s3_server.client().get_object(Bucket=bucket, Key="logs/stdout.gz")["Body"].read()
    assert gzip.decompress(body).decode() == text
    lines = [json.loads(line) for line in errors.decode().splitlines()]
    assert any(line["message"] == "log complete" and line["pod"] == "run-driver" for line in lines)
    assert SECRET not in errors.decode()
    assert "a-projected-token" not in errors.decode()
