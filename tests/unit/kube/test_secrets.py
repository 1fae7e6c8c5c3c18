"""Store credentials: read once a minute, and in a form that SDKs take."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from botocore.credentials import ContainerProvider

from ember.kube.secrets import NoCredentials, StoreSecrets
from tests.support.broker_world import NAMESPACE, World

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


class Setting:
    def __init__(self) -> None:
        self.world, self.monotonic = World(), 0.0
        self.secrets = StoreSecrets(self.world.cluster, "ember-store", lambda: self.monotonic, lambda: NOW)


@pytest.fixture
async def setting() -> Setting:
    return Setting()


async def test_credentials_with_a_session_token(setting: Setting) -> None:
    setting.world.store_secret(AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s", AWS_SESSION_TOKEN="t")
    assert await setting.secrets.credentials(NAMESPACE) == {
        "AccessKeyId": "k",
        "SecretAccessKey": "s",
        "Token": "t",
        "Expiration": "2026-11-21T11:00:00Z",
    }


async def test_a_rotation_is_noticed_within_a_minute(setting: Setting) -> None:
    setting.world.store_secret(AWS_ACCESS_KEY_ID="old", AWS_SECRET_ACCESS_KEY="s")
    await setting.secrets.credentials(NAMESPACE)
    setting.world.store_secret(AWS_ACCESS_KEY_ID="new", AWS_SECRET_ACCESS_KEY="s")
    assert (await setting.secrets.credentials(NAMESPACE))["AccessKeyId"] == "old"
    setting.monotonic += 61
    assert (await setting.secrets.credentials(NAMESPACE))["AccessKeyId"] == "new"
    assert len(setting.world.cluster.sent) == 2


async def test_what_is_missing_is_named_without_values(setting: Setting) -> None:
    with pytest.raises(NoCredentials, match="no Secret 'ember-store' in namespace 'team-a'"):
        await setting.secrets.credentials(NAMESPACE)
    setting.world.store_secret(AWS_SECRET_ACCESS_KEY="hush")
    with pytest.raises(NoCredentials, match="no value for AWS_ACCESS_KEY_ID") as error:
        await setting.secrets.credentials(NAMESPACE)
    assert "hush" not in str(error.value)


async def test_botocore_takes_keys_without_a_session_token(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The AWS SDK for Java 2.29 reads null as no token, too; it would sign an empty one."""
    setting.world.store_secret(AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s")
    body = json.dumps(await setting.secrets.credentials(NAMESPACE)).replace("2026", "2999").encode()
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            self.send_response(200)
            answer = body if self.path == "/credentials" else b"<x/>"
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/credentials")
    try:
        credentials = ContainerProvider().load()
        assert credentials.get_frozen_credentials().token is None
        session = boto3.session.Session()
        session._session._credentials = credentials
        session.client("s3", endpoint_url=url, region_name="us-east-1").list_buckets()
    finally:
        server.shutdown()
    assert "AWS4-HMAC-SHA256" in seen[-1]["Authorization"]
    assert "x-amz-security-token" not in {name.lower() for name in seen[-1]}
