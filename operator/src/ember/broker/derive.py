"""Secrets of a run, derived from the broker's key: nothing is stored, and a restart changes nothing. Pure."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import astuple, dataclass

_LONGEST = 4096


@dataclass(frozen=True)
class RunIdentity:
    """One driver: a run's attempt, in the very pod that serves it."""

    namespace: str
    run_name: str
    run_uid: str
    attempt: int
    driver_uid: str


class Deriver:
    """Makes and checks the secrets of runs."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the signing key needs 32 bytes at least")
        self._key = key

    def api_token(self, identity: RunIdentity) -> str:
        """The bearer token with which this driver asks for executors."""
        payload = _encode(json.dumps(astuple(identity), separators=(",", ":")).encode())
        return f"{payload}.{_encode(self._mac(b'spark-api', payload.encode()))}"

    def identity(self, token: str) -> RunIdentity | None:
        """Whose token it is; None when it is not ours. Says nothing about whether that driver still lives."""
        payload, _, signature = token.partition(".")
        if len(token) > _LONGEST or not token.isascii():
            return None
        if not hmac.compare_digest(_encode(self._mac(b"spark-api", payload.encode())), signature):
            return None
        try:
            namespace, run_name, run_uid, attempt, driver_uid = json.loads(_decode(payload))
        except (ValueError, TypeError, binascii.Error):
            return None
        return RunIdentity(str(namespace), str(run_name), str(run_uid), int(attempt), str(driver_uid))

    def spark_secret(self, run_uid: str, attempt: int) -> str:
        """What an attempt's driver and executors authenticate each other with (`spark.authenticate.secret`)."""
        return _encode(self._mac(b"spark-auth", f"{run_uid}/{attempt}".encode()))

    def _mac(self, purpose: bytes, text: bytes) -> bytes:
        # The purpose comes first and its end is marked: what is made for one purpose never serves another.
        return hmac.digest(self._key, purpose + b"\0" + text, hashlib.sha256)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
