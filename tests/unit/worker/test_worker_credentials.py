"""The relay of credentials: when it asks the broker, and what it says when the broker does not answer."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from ember.worker.channel import ChannelError, RefusedError
from ember.worker.credentials import Relay, serve

START = 1_800_000_000.0
MINUTE = 60.0


class Broker:
    """Gives credentials that live an hour, or fails as told."""

    def __init__(self) -> None:
        self.now, self.calls = START, 0
        self.failure: Exception | None = None

    def fetch(self) -> Mapping[str, Any]:
        self.calls += 1
        if self.failure:
            raise self.failure
        expires = datetime.fromtimestamp(self.now + 60 * MINUTE, UTC)
        return {
            "AccessKeyId": f"key-{self.calls}",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def relay(broker: Broker) -> Relay:
    return Relay(broker.fetch, lambda: broker.now)


def key(relay: Relay) -> str:
    status, body = relay.answer()
    assert status == 200
    return str(body["AccessKeyId"])


def test_asks_once_and_again_when_20_minutes_are_left(broker: Broker, relay: Relay) -> None:
    assert [key(relay), key(relay)] == ["key-1", "key-1"]
    broker.now += 39 * MINUTE
    assert key(relay) == "key-1"
    broker.now += 2 * MINUTE
    assert key(relay) == "key-2"


def test_serves_what_it_has_while_the_broker_is_away(broker: Broker, relay: Relay) -> None:
    assert key(relay) == "key-1"
    broker.now += 50 * MINUTE
    broker.failure = ChannelError("away")
    assert [key(relay), key(relay)] == ["key-1", "key-1"]
    assert broker.calls == 2  # not each request of an SDK waits for a broker that is away
    broker.now += 9.9 * MINUTE
    assert key(relay) == "key-1"
    broker.now += MINUTE
    assert relay.answer()[0] == 503
    broker.failure = None
    assert key(relay) == f"key-{broker.calls}"


def test_nothing_before_the_claim(broker: Broker, relay: Relay) -> None:
    broker.failure = RefusedError(404, "idle")
    assert relay.answer()[0] == 404
    broker.failure = None
    assert key(relay) == "key-2"


def test_a_rehearsal_gets_what_opens_nothing_and_leaves_nothing(broker: Broker, relay: Relay) -> None:
    with relay.rehearsal():
        assert key(relay) == "rehearsal"
    assert broker.calls == 0
    assert key(relay) == "key-1"


def test_who_asks_while_they_are_fetched_ahead_shares_the_answer(broker: Broker) -> None:
    began, go_on = threading.Event(), threading.Event()

    def fetch() -> Mapping[str, Any]:
        began.set()
        assert go_on.wait(5)
        return broker.fetch()

    relay = Relay(fetch, lambda: broker.now)
    relay.fetch_ahead()
    assert began.wait(5)
    threading.Timer(0.1, go_on.set).start()
    assert key(relay) == "key-1"
    assert broker.calls == 1


def test_nothing_after_the_end_whoever_says_so(broker: Broker, relay: Relay) -> None:
    assert key(relay) == "key-1"
    broker.now += 41 * MINUTE
    broker.failure = RefusedError(403, "over")
    assert relay.answer()[0] == 403
    broker.failure = ChannelError("away")
    assert relay.answer()[0] == 503  # the cached value is forgotten
    broker.failure = None
    relay.end()
    assert relay.answer()[0] == 403


@pytest.mark.parametrize("change", [{"Expiration": "soon"}, {"Expiration": "2027-01-01T00:00:00"}, {"Token": 5}])
def test_a_malformed_answer_is_not_passed_on(change: dict[str, Any], broker: Broker) -> None:
    relay = Relay(lambda: {**broker.fetch(), **change}, lambda: broker.now)
    assert relay.answer()[0] == 503


def test_static_keys_have_no_session_token(broker: Broker) -> None:
    relay = Relay(lambda: {**broker.fetch(), "Token": None}, lambda: broker.now)
    assert relay.answer()[1]["Token"] is None


def test_expired_credentials_are_not_passed_on(broker: Broker) -> None:
    relay = Relay(broker.fetch, lambda: broker.now + 61 * MINUTE)
    assert relay.answer()[0] == 503


def test_the_endpoint_wants_its_token_and_its_path(relay: Relay) -> None:
    server = serve(relay, "the-token", 0)
    try:

        def get(path: str, token: str) -> int:
            request = Request(f"http://127.0.0.1:{server.server_port}{path}", headers={"Authorization": token})
            try:
                with urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
                    assert json.loads(answer.read())["AccessKeyId"] == "key-1"
                    return int(answer.status)
            except HTTPError as error:
                return int(error.code)

        assert get("/credentials", "the-token") == 200
        assert get("/credentials", "the-Token") == 403
        assert get("/credentials", "") == 403
        assert get("/other", "the-token") == 404
    finally:
        server.shutdown()
        server.server_close()
