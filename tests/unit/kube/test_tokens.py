"""Token reviews: what they say, and for how long it is believed."""

import asyncio
import base64
import json

import pytest

from ember.kube.errors import Unavailable
from ember.kube.tokens import Caller, TokenReviewer, caller_of
from tests.support.memory_api import MemoryCluster, Object

EXTRA = "authentication.kubernetes.io/"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def token(expires: float = 1e6) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    return f"e30.{claims}.signature"


def good(**changes: object) -> Object:
    extra = {EXTRA + "pod-name": ["p"], EXTRA + "pod-uid": ["u"], EXTRA + "node-name": ["n"]}
    user = {"username": "system:serviceaccount:ns:sa", "extra": extra}
    return {"authenticated": True, "audiences": ["ember-broker"], "user": user, **changes}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def reviewer(cluster: MemoryCluster, clock: Clock) -> TokenReviewer:
    return TokenReviewer(cluster, monotonic=clock, wall=clock)


async def test_who_holds_a_token(cluster: MemoryCluster, reviewer: TokenReviewer) -> None:
    cluster.tokens[token()] = good()
    assert await reviewer.review(token()) == Caller("ns", "sa", "p", "u", "n")


async def test_a_good_token_is_believed_for_a_minute(
    cluster: MemoryCluster, reviewer: TokenReviewer, clock: Clock
) -> None:
    cluster.tokens[token()] = good()
    await reviewer.review(token())
    clock.now += 59
    cluster.tokens.clear()
    assert await reviewer.review(token()) is not None
    assert len(cluster.sent) == 1
    clock.now += 2
    assert await reviewer.review(token()) is None


async def test_no_token_is_believed_beyond_its_own_end(
    cluster: MemoryCluster, reviewer: TokenReviewer, clock: Clock
) -> None:
    short = token(clock.now + 10)
    cluster.tokens[short] = good()
    await reviewer.review(short)
    clock.now += 11
    cluster.tokens.clear()
    assert await reviewer.review(short) is None


async def test_a_bad_token_is_remembered_for_five_seconds(
    cluster: MemoryCluster, reviewer: TokenReviewer, clock: Clock
) -> None:
    assert await reviewer.review(token()) is None
    cluster.tokens[token()] = good()
    clock.now += 4
    assert await reviewer.review(token()) is None
    clock.now += 2
    assert await reviewer.review(token()) is not None


async def test_what_is_no_token_is_not_even_asked_about(cluster: MemoryCluster, reviewer: TokenReviewer) -> None:
    for text in ("", "abc", "a.b", "a.b.c.d", "a.b." + "c" * 9000):
        assert await reviewer.review(text) is None
    assert not cluster.sent


async def test_one_review_serves_all_who_ask_at_once(cluster: MemoryCluster, reviewer: TokenReviewer) -> None:
    cluster.tokens[token()] = good()
    callers = await asyncio.gather(*(reviewer.review(token()) for _ in range(20)))
    assert all(callers)
    assert len(cluster.sent) == 1


async def test_nobody_can_tell(cluster: MemoryCluster, reviewer: TokenReviewer) -> None:
    cluster.faults.append(lambda _method, _path: (503, {}, b"{}"))
    with pytest.raises(Unavailable):
        await reviewer.review(token())
    cluster.faults.clear()
    cluster.tokens[token()] = good()
    assert await reviewer.review(token()) is not None, "a failure is not remembered"


@pytest.mark.parametrize(
    "status",
    [
        {},
        good(authenticated=False),
        good(audiences=[]),
        good(audiences=["another"]),
        good(user={"username": "system:node:n"}),
        good(user={"username": "kubernetes-admin"}),
    ],
)
def test_statuses_that_prove_nothing(status: Object) -> None:
    assert caller_of(status, "ember-broker") is None
