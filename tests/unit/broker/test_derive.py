"""Derived secrets: stable, distinct, and not to be forged."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ember.broker.derive import Deriver, RunIdentity

KEY = bytes(range(32))
IDENTITY = RunIdentity("team-a", "etl", "uid-1", 1, "driver-1")
text = st.text(min_size=0, max_size=40)


@given(text, text, text, st.integers(0, 1000), text)
def test_token_says_whose_it_is(namespace: str, name: str, uid: str, attempt: int, driver: str) -> None:
    identity = RunIdentity(namespace, name, uid, attempt, driver)
    assert Deriver(KEY).identity(Deriver(KEY).api_token(identity)) == identity


def test_token_of_another_key_is_refused() -> None:
    assert Deriver(b"x" * 32).identity(Deriver(KEY).api_token(IDENTITY)) is None


@given(st.integers(0, 300), st.characters(codec="ascii"))
def test_changed_token_is_refused(position: int, character: str) -> None:
    token = Deriver(KEY).api_token(IDENTITY)
    at = position % len(token)
    changed = token[:at] + character + token[at + 1 :]
    # The last character of unpadded base64 has spare bits, which the comparison as text does not forgive either.
    assert (Deriver(KEY).identity(changed) is None) == (changed != token)


@given(st.text(max_size=200))
def test_nonsense_is_refused(token: str) -> None:
    assert Deriver(KEY).identity(token) is None


def test_payload_without_signature_is_refused() -> None:
    payload = Deriver(KEY).api_token(IDENTITY).partition(".")[0]
    assert Deriver(KEY).identity(payload) is None
    assert Deriver(KEY).identity(payload + ".") is None


def test_another_driver_pod_gets_another_token() -> None:
    assert Deriver(KEY).api_token(IDENTITY) != Deriver(KEY).api_token(replace(IDENTITY, driver_uid="driver-2"))


def test_spark_secret_differs_by_run_and_attempt_and_survives_a_restart() -> None:
    secrets = {Deriver(KEY).spark_secret(uid, attempt) for uid in ("uid-1", "uid-2") for attempt in (1, 2)}
    assert len(secrets) == 4
    assert Deriver(KEY).spark_secret("uid-1", 1) in secrets


def test_a_secret_for_one_purpose_serves_no_other() -> None:
    token = Deriver(KEY).api_token(IDENTITY)
    payload = token.partition(".")[0]
    assert Deriver(KEY).spark_secret(payload, 1) not in token
