"""What the broker is known by: its CA, its certificate and the key of all derived secrets, kept in one Secret.

The leader makes them once. Workers hold the CA in their environment for life, so it is kept as long as it is good.
"""

import base64
import os
import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ember.broker import certificates
from ember.broker.certificates import RENEW_BEFORE, Pair
from ember.kube.client import Cluster
from ember.kube.errors import AlreadyExists, Conflict, NotFound
from ember.kube.index import Object
from ember.kube.resources import CONFIG_MAPS, SECRETS
from ember.model import labels

NAME = "ember-broker"
CA_NAME = "ember-broker-ca"
_FIELDS = ("ca.crt", "ca.key", "tls.crt", "tls.key", "signing-key")
_TRIES = 5


@dataclass(frozen=True, repr=False)
class Identity:
    """The broker's keys. `repr` shows none of them."""

    ca: Pair
    server: Pair
    signing_key: bytes

    @property
    def ca_pem(self) -> str:
        """The CA's certificate, for those who call the broker."""
        return self.ca.certificate.decode()

    def load_into(self, context: ssl.SSLContext) -> None:
        """Give the certificate to a TLS context; Python reads it from a file only, so there is one for a moment."""
        handle, name = tempfile.mkstemp()
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self.server.key + self.server.certificate)
            context.load_cert_chain(name)
        finally:
            Path(name).unlink()


async def ensure(cluster: Cluster, namespace: str, hosts: list[str], now: datetime) -> Identity:
    """Read the broker's keys, or make what is missing, wrong or soon over; publish the CA. Safe against a rival."""
    for _ in range(_TRIES):
        try:
            identity = await _read_or_make(cluster, namespace, hosts, now)
        except (AlreadyExists, Conflict):  # somebody else was quicker: what it made is as good
            continue
        await _publish(cluster, namespace, identity)
        return identity
    raise RuntimeError(f"Secret {NAME!r} in namespace {namespace!r} is being changed all the time")


def completed(held: Identity | None, hosts: list[str], now: datetime) -> Identity:
    """The same keys as far as they are good, new ones for the rest."""
    ca = held.ca if held is not None and _lasts(held.ca, now) else certificates.make_ca(now)
    good = (
        held is not None
        and _lasts(held.server, now)
        and certificates.hosts_of(held.server.certificate) >= set(hosts)
        and certificates.signed_by(held.server.certificate, ca.certificate)
    )
    server = held.server if held is not None and good else certificates.make_server(ca, hosts, now)
    key = held.signing_key if held is not None and len(held.signing_key) >= 32 else secrets.token_bytes(32)
    return Identity(ca, server, key)


async def _read_or_make(cluster: Cluster, namespace: str, hosts: list[str], now: datetime) -> Identity:
    try:
        secret = await cluster.get(SECRETS, namespace, NAME)
    except NotFound:
        identity = completed(None, hosts, now)
        await cluster.create(SECRETS, _secret(namespace, identity))
        return identity
    held = _decoded(secret)
    identity = completed(held, hosts, now)
    if identity != held:
        version = secret["metadata"]["resourceVersion"]
        await cluster.replace(SECRETS, _secret(namespace, identity, version))
    return identity


async def _publish(cluster: Cluster, namespace: str, identity: Identity) -> None:
    body = {
        "metadata": {"namespace": namespace, "name": CA_NAME, "labels": _LABELS},
        "data": {"ca.crt": identity.ca_pem},
    }
    await cluster.apply(CONFIG_MAPS, body)


_LABELS = {labels.MANAGED_BY: labels.MANAGED_BY_EMBER}


def _secret(namespace: str, identity: Identity, version: str | None = None) -> Object:
    values = (
        identity.ca.certificate,
        identity.ca.key,
        identity.server.certificate,
        identity.server.key,
        identity.signing_key,
    )
    meta: Object = {"namespace": namespace, "name": NAME, "labels": _LABELS}
    if version is not None:
        meta["resourceVersion"] = version
    data = {field: base64.b64encode(value).decode() for field, value in zip(_FIELDS, values, strict=True)}
    return {"apiVersion": SECRETS.api_version, "kind": SECRETS.kind, "metadata": meta, "type": "Opaque", "data": data}


def _decoded(secret: Object) -> Identity | None:
    """The keys in a Secret; None when any is missing: then nothing of it can be trusted to belong together."""
    data = secret.get("data") or {}
    if any(not data.get(field) for field in _FIELDS):
        return None
    ca, ca_key, server, server_key, key = (base64.b64decode(data[field]) for field in _FIELDS)
    return Identity(Pair(ca, ca_key), Pair(server, server_key), key)


def _lasts(pair: Pair, now: datetime) -> bool:
    try:
        return certificates.good_until(pair.certificate) > now + RENEW_BEFORE
    except ValueError:
        return False
