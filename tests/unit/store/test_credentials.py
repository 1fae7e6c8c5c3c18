"""Credentials are asked for once, and again before they expire."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ember.store import StoreUnavailable, from_environment
from ember.store.credentials import NamespaceCredentials, seconds_of_use

NOW = 1_800_000_000.0


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat().replace("+00:00", "Z")


class Provider:
    def __init__(self, **answer: str) -> None:
        self.asked: list[str] = []
        self.answer: Any = {"AccessKeyId": "a", "SecretAccessKey": "s", **answer}

    async def __call__(self, namespace: str) -> Mapping[str, Any]:
        self.asked.append(namespace)
        if isinstance(self.answer, Exception):
            raise self.answer
        return dict(self.answer, AccessKeyId=f"key-{len(self.asked)}")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_they_are_held_till_shortly_before_they_expire() -> None:
    provider, clock = Provider(Expiration=iso(900), Token="t"), Clock()
    held = NamespaceCredentials("team-a", provider, wall=lambda: NOW, clock=clock)
    assert [(await held.get_frozen_credentials()).access_key for _ in range(3)] == ["key-1"] * 3
    clock.now += 700
    assert (await held.get_frozen_credentials()).access_key == "key-1"
    clock.now += 40
    seen = await held.get_frozen_credentials()
    assert (seen.access_key, seen.token, provider.asked) == ("key-2", "t", ["team-a", "team-a"])


async def test_what_the_store_calls_expired_is_forgotten() -> None:
    provider = Provider()
    held = NamespaceCredentials("team-a", provider, clock=Clock())
    await held.get_frozen_credentials()
    held.forget()
    assert (await held.get_frozen_credentials()).access_key == "key-2"


@pytest.mark.parametrize(
    ("expiration", "seconds"),
    [(None, 3600), ("", 3600), (iso(60), 48), (iso(3000), 2700), (iso(90_000), 3600), (iso(-5), 0), ("soon", 0)],
)
def test_for_how_long_they_are_used(expiration: str | None, seconds: float) -> None:
    assert seconds_of_use(expiration, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize("trouble", [RuntimeError("broker down"), {"SecretAccessKey": "x"}])
async def test_a_provider_in_trouble_means_unavailable(trouble: Any) -> None:
    provider = Provider()
    provider.answer = trouble
    held = NamespaceCredentials("team-a", provider)
    if isinstance(trouble, dict):

        async def incomplete(_namespace: str) -> Mapping[str, Any]:
            return dict(trouble)

        held = NamespaceCredentials("team-a", incomplete)
    with pytest.raises(StoreUnavailable, match="no credentials for the namespace team-a"):
        await held.get_frozen_credentials()


async def test_static_keys_come_from_the_environment() -> None:
    provide = from_environment({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"})
    assert await provide("any") == {"AccessKeyId": "a", "SecretAccessKey": "s", "Token": ""}
    with pytest.raises(StoreUnavailable):
        await from_environment({})("any")
