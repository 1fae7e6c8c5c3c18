"""The credentials endpoint as the AWS SDK for Python really uses it. (The driver's tests ask it from Java.)"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import ContainerProvider
from botocore.exceptions import CredentialRetrievalError

from ember.worker.channel import RefusedError
from ember.worker.credentials import Relay, serve
from ember.worker.settings import write_private


class Broker:
    """Gives other credentials at each call, unless it refuses."""

    refusal: RefusedError | None = None
    calls = 0

    def fetch(self) -> Mapping[str, Any]:
        self.calls += 1
        if self.refusal:
            raise self.refusal
        expires = datetime.now(UTC) + timedelta(minutes=18)
        return {
            "AccessKeyId": f"key-{self.calls}",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": expires.isoformat(timespec="seconds"),
        }


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def provider(broker: Broker, tmp_path: Path) -> Iterator[ContainerProvider]:
    server = serve(Relay(broker.fetch), "endpoint-token", 0)
    write_private(tmp_path / "credentials-token", "endpoint-token")
    environment = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_port}/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "credentials-token"),
    }
    yield ContainerProvider(environment)
    server.shutdown()
    server.server_close()


def test_boto3_gets_credentials_and_renews_them(provider: ContainerProvider) -> None:
    credentials = provider.load()
    frozen = credentials.get_frozen_credentials()
    assert (frozen.access_key, frozen.secret_key, frozen.token) == ("key-1", "secret", "token")
    # Less than 20 minutes are left: each look at the endpoint brings new ones.
    assert provider.load().get_frozen_credentials().access_key == "key-2"


@pytest.mark.parametrize("status", [403, 404])
def test_boto3_is_told_when_there_are_none(provider: ContainerProvider, broker: Broker, status: int) -> None:
    broker.refusal = RefusedError(status, "no")
    with pytest.raises(CredentialRetrievalError, match=str(status)):
        provider.load()


def test_boto3_fails_with_a_wrong_token(provider: ContainerProvider, tmp_path: Path) -> None:
    write_private(tmp_path / "credentials-token", "another")
    with pytest.raises(CredentialRetrievalError, match="403"):
        provider.load()
