"""The broker's keys are made once, kept, and renewed in time."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest

from ember.broker import certificates
from ember.broker.identity import CA_NAME, NAME, Identity, ensure
from tests.support.memory_api import MemoryCluster

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HOSTS = ["ember-broker.ember.svc", "127.0.0.1"]
SECRET = f"/api/v1/namespaces/ember/secrets/{NAME}"


@pytest.fixture
async def cluster() -> MemoryCluster:
    return MemoryCluster()


async def ensured(cluster: MemoryCluster, hosts: list[str] = HOSTS, now: datetime = NOW) -> Identity:
    return await ensure(cluster, "ember", hosts, now)


async def test_made_once_and_then_read(cluster: MemoryCluster) -> None:
    first = await ensured(cluster)
    assert len(first.signing_key) == 32
    assert await ensured(cluster) == first
    published = cluster.objects[f"/api/v1/namespaces/ember/configmaps/{CA_NAME}"]
    assert published["data"] == {"ca.crt": first.ca_pem}


async def test_two_who_begin_at_once_agree(cluster: MemoryCluster) -> None:
    first, second = await asyncio.gather(ensured(cluster), ensured(cluster))
    assert first == second == await ensured(cluster)


async def test_the_servers_certificate_is_renewed_and_all_else_stays(cluster: MemoryCluster) -> None:
    first = await ensured(cluster)
    assert await ensured(cluster, now=NOW + timedelta(days=334)) == first
    later = await ensured(cluster, now=NOW + timedelta(days=340))
    assert later.server != first.server
    assert (later.ca, later.signing_key) == (first.ca, first.signing_key)
    assert certificates.signed_by(later.server.certificate, first.ca.certificate)


async def test_another_host_name_needs_another_certificate(cluster: MemoryCluster) -> None:
    first = await ensured(cluster)
    other = await ensured(cluster, [*HOSTS, "broker.example.org"])
    assert certificates.hosts_of(other.server.certificate) == {*HOSTS, "broker.example.org"}
    assert other.ca == first.ca


@pytest.mark.parametrize("field", ["ca.crt", "ca.key", "tls.crt", "tls.key", "signing-key"])
@pytest.mark.parametrize("value", [None, base64.b64encode(b"rubbish").decode()])
async def test_what_is_damaged_is_made_anew(cluster: MemoryCluster, field: str, value: str | None) -> None:
    await ensured(cluster)
    cluster.change(SECRET, {"data": {field: value}})
    mended = await ensured(cluster)
    assert certificates.signed_by(mended.server.certificate, mended.ca.certificate)
    assert len(mended.signing_key) == 32
    assert await ensured(cluster) == mended


async def test_no_key_is_shown(cluster: MemoryCluster) -> None:
    identity = await ensured(cluster)
    assert "PRIVATE" not in repr(identity)
    assert "PRIVATE" not in str(cluster.objects[f"/api/v1/namespaces/ember/configmaps/{CA_NAME}"])
