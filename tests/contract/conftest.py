"""Fixtures of the contract tests."""

import uuid
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.contract import store_server
from tests.contract.store_server import S3Server
from tests.support.broker_client import Client, connector
from tests.support.broker_world import World

_PROGRAMS = {"minio": store_server.minio_program, "seaweedfs": store_server.weed_program}


@pytest.fixture(scope="session", params=sorted(_PROGRAMS))
def s3_server(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    """Each S3 server there is."""
    if _PROGRAMS[request.param]() is None:
        pytest.skip(f"{request.param} is not installed")
    with store_server.running(request.param) as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """A new bucket."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3_server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
async def world() -> World:
    """A broker and what it stands on."""
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    """Who asks that broker."""
    async with world.serve() as (url, ca), aiohttp.ClientSession(connector=connector(ca)) as session:
        yield Client(session, url)
