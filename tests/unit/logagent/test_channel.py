"""The channel to the broker, against a TLS server."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ember.logagent.channel import BrokerChannel, BrokerError, PodOrder, parse_order

POD = {
    "uid": "u-1",
    "namespace": "team-a",
    "name": "run-driver",
    "container": "spark",
    "destinations": ["s3://b/x"],
    "ended": True,
}


def certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ember-broker")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "ca.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return directory / "ca.crt", directory / "key.pem"


@dataclass
class Broker:
    """What was asked, and what to answer."""

    directory: Path
    url: str = ""
    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)
    answer: Any = None
    status: int = 200

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["X-Ember-Node"] == "node-1"
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path_qs, request.headers["Authorization"], body))
        if self.answer is None:
            return web.Response(status=204 if self.status == 200 else self.status, text="")
        return web.json_response(self.answer, status=self.status)

    def channel(self, ca: str = "ca.crt") -> BrokerChannel:
        return BrokerChannel(self.url, self.directory / ca, self.directory / "token", "node-1")


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    made = Broker(tmp_path)
    (tmp_path / "token").write_text("token-1\n")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate(tmp_path))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    made.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_the_list_of_pods(broker: Broker) -> None:
    channel = broker.channel()
    broker.answer = {"revision": 7, "pods": [POD]}
    expected = PodOrder("u-1", "team-a", "run-driver", "spark", ("s3://b/x/",), ended=True)
    assert await channel.pods(None) == (7, [expected])
    assert expected.directory == "team-a_run-driver_u-1/spark"
    (broker.directory / "token").write_text("token-2")
    await channel.pods(7)
    assert broker.asked == [
        ("GET", "/node/v1/pods", "Bearer token-1", None),
        ("GET", "/node/v1/pods?known=7", "Bearer token-2", None),
    ]
    await channel.close()


async def test_a_list_that_comes_in_many_pieces(broker: Broker) -> None:
    channel = broker.channel()
    many = [{**POD, "uid": f"u-{number}", "destinations": [f"s3://b/{'x' * 500}"]} for number in range(1000)]
    broker.answer = {"revision": 7, "pods": many}
    _, orders = await channel.pods(None)
    assert len(orders) == 1000
    await channel.close()


async def test_reports_and_credentials(broker: Broker) -> None:
    channel = broker.channel()
    await channel.report("u-1", complete=True, error="")
    broker.answer = {"AccessKeyId": "a"}
    assert await channel.credentials("team-a") == {"AccessKeyId": "a"}
    assert [ask[0:2] for ask in broker.asked] == [
        ("POST", "/node/v1/uploads"),
        ("GET", "/node/v1/credentials?namespace=team-a"),
    ]
    assert broker.asked[0][3].items() >= {"uid": "u-1", "complete": True, "error": ""}.items()
    await channel.close()


@pytest.mark.parametrize(
    ("status", "answer"),
    [(500, None), (401, {"m": 1}), (307, None), (200, {"revision": 1}), (200, {"revision": "x", "pods": []}),
     (200, []), (200, {"revision": 1, "pods": [POD | {"name": "../../etc"}]}), (200, {"revision": 1, "pods": [{}]})],
)  # fmt: skip
async def test_what_is_not_as_agreed_is_an_error(broker: Broker, status: int, answer: Any) -> None:
    channel = broker.channel()
    broker.status, broker.answer = status, answer
    with pytest.raises(BrokerError):
        await channel.pods(None)
    await channel.close()


async def test_a_refused_report_is_an_error(broker: Broker) -> None:
    channel = broker.channel()
    broker.status = 403
    with pytest.raises(BrokerError, match="403"):
        await channel.report("u-1", complete=True, error="")
    await channel.close()


async def test_another_certificate_is_not_trusted_until_the_file_holds_it(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other")
    (tmp_path / "trust.crt").write_bytes((tmp_path / "other" / "ca.crt").read_bytes())
    channel = broker.channel("trust.crt")
    with pytest.raises(BrokerError, match="certificate"):
        await channel.report("u", complete=False, error="")
    assert not broker.asked
    await asyncio.sleep(0.02)
    (tmp_path / "trust.crt").write_bytes((tmp_path / "ca.crt").read_bytes())
    await channel.report("u", complete=False, error="")
    assert len(broker.asked) == 1
    await channel.close()


async def test_no_token_and_no_broker_are_errors(broker: Broker) -> None:
    (broker.directory / "token").unlink()
    channel = broker.channel()
    with pytest.raises(BrokerError, match="token"):
        await channel.pods(None)
    broker.url = "https://127.0.0.1:1"
    (broker.directory / "token").write_text("t")
    with pytest.raises(BrokerError):
        await broker.channel().pods(None)
    await channel.close()


@pytest.mark.parametrize("name", ["..", ".", "a/b", "", "a\0", "-a", "a\n"])
def test_names_that_could_leave_the_directory_are_refused(name: str) -> None:
    for field_name in ("uid", "namespace", "name", "container"):
        with pytest.raises(ValueError, match="is not the name"):
            parse_order(POD | {field_name: name})
