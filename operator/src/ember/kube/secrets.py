"""A tenant's credentials for the object store, in the form that SDKs read from a container credentials endpoint."""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ember.kube.client import Cluster
from ember.kube.errors import NotFound
from ember.kube.index import Object
from ember.kube.resources import SECRETS

CACHE_SECONDS = 60.0
LIFE = timedelta(hours=1)  # static keys do not expire; workers ask again before this and so notice a rotation

Credentials = dict[str, str | None]


class NoCredentials(Exception):  # noqa: N818
    """The namespace's Secret is missing or incomplete; the message says what and where, and holds no value."""


@dataclass(frozen=True)
class _Read:
    keys: dict[str, str | None]
    at: float


class StoreSecrets:
    """Reads the Secret of a given name in a tenant's namespace, at most once a minute each."""

    def __init__(
        self,
        cluster: Cluster,
        secret_name: str,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster = cluster
        self._secret_name = secret_name
        self._monotonic = monotonic
        self._now = now
        self._read: dict[str, _Read] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def credentials(self, namespace: str) -> Credentials:
        """Credentials for workers of a namespace. Raises NoCredentials, and ApiError when nobody can tell."""
        async with self._locks.setdefault(namespace, asyncio.Lock()):
            read = self._read.get(namespace)
            if read is None or self._monotonic() - read.at > CACHE_SECONDS:
                read = self._read[namespace] = _Read(await self._keys(namespace), self._monotonic())
        return {**read.keys, "Expiration": (self._now() + LIFE).strftime("%Y-%m-%dT%H:%M:%SZ")}

    async def _keys(self, namespace: str) -> dict[str, str | None]:
        try:
            secret = await self._cluster.get(SECRETS, namespace, self._secret_name)
        except NotFound:
            raise NoCredentials(f"there is no Secret {self._secret_name!r} in namespace {namespace!r}") from None
        return {
            "AccessKeyId": self._value(secret, "AWS_ACCESS_KEY_ID"),
            "SecretAccessKey": self._value(secret, "AWS_SECRET_ACCESS_KEY"),
            # null, not "" and not left out: botocore fails without the field, and the AWS SDK for Java sends an
            # empty X-Amz-Security-Token for "", which S3 servers refuse.
            "Token": _decoded(secret, "AWS_SESSION_TOKEN") or None,
        }

    def _value(self, secret: Object, field: str) -> str:
        value = _decoded(secret, field)
        if not value:
            where = f"Secret {self._secret_name!r} in namespace {secret['metadata']['namespace']!r}"
            raise NoCredentials(f"{where} has no value for {field}")
        return value


def _decoded(secret: Object, field: str) -> str:
    # A stray newline is the commonest mistake in a Secret, and no key has white space.
    return base64.b64decode(secret.get("data", {}).get(field, "")).decode("utf-8", "replace").strip()
