"""Credentials for the store, one set a namespace, renewed before they expire.

The provider is injected: the broker's channel in the log agent, the static secret in the operator. What it returns is
the shape of AWS' container credentials: AccessKeyId, SecretAccessKey, Token, Expiration.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aiobotocore.credentials import AioCredentials
from botocore.credentials import ReadOnlyCredentials

from ember.store.errors import StoreError, StoreUnavailable

CredentialsProvider = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Returns the credentials of a namespace."""

_LONGEST = 3600.0
_MARGIN = 300.0


def from_environment(environ: Mapping[str, str]) -> CredentialsProvider:
    """Return a provider of static credentials out of AWS_ACCESS_KEY_ID and its sisters."""

    async def provide(_namespace: str) -> Mapping[str, Any]:
        key, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
        if not key or not secret:
            raise StoreUnavailable("no credentials for the object store: AWS_ACCESS_KEY_ID is not set")
        return {"AccessKeyId": key, "SecretAccessKey": secret, "Token": environ.get("AWS_SESSION_TOKEN", "")}

    return provide


def seconds_of_use(expiration: object, now: float) -> float:
    """Return for how long credentials may be used: till five minutes, or a fifth of their life, before they expire."""
    if not expiration:
        return _LONGEST
    try:
        ends = datetime.fromisoformat(str(expiration))
    except ValueError:
        return 0.0
    life = (ends if ends.tzinfo else ends.replace(tzinfo=UTC)).timestamp() - now
    return max(0.0, min(life - min(_MARGIN, life / 5), _LONGEST))


class NamespaceCredentials(AioCredentials):  # type: ignore[misc]
    """What the S3 client signs with; asks the provider when there is nothing, or nothing fresh."""

    def __init__(
        self,
        namespace: str,
        provider: CredentialsProvider,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("unused", "unused", method="ember")
        self._namespace = namespace
        self._provider = provider
        self._wall, self._clock = wall, clock
        self._lock = asyncio.Lock()
        self._frozen: ReadOnlyCredentials | None = None
        self._good_until = 0.0

    def forget(self) -> None:
        """Drop what is held: the store called it expired."""
        self._frozen = None

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the keys to sign one request with."""
        async with self._lock:
            if self._frozen is None or self._clock() >= self._good_until:
                await self._renew()
            return self._frozen

    async def _renew(self) -> None:
        try:
            given = await self._provider(self._namespace)
            frozen = ReadOnlyCredentials(given["AccessKeyId"], given["SecretAccessKey"], given.get("Token") or None)
        except StoreError:
            raise
        except Exception as error:
            reason = "an incomplete answer" if isinstance(error, KeyError) else str(error)
            raise StoreUnavailable(
                f"no credentials for the namespace {self._namespace}: {reason}", "NoCredentials"
            ) from error
        self._frozen = frozen
        self._good_until = self._clock() + seconds_of_use(given.get("Expiration"), self._wall())
