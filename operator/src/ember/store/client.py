"""The S3 client: bounded in time, typed in its errors, with one set of credentials a namespace."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, TypeVar

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import ClientError

from ember.store.credentials import CredentialsProvider, NamespaceCredentials
from ember.store.errors import StoreRefused, StoreUnavailable, translate, wants_new_credentials
from ember.store.uri import parse_s3_uri

_Result = TypeVar("_Result")
_SLOWEST_BYTES_PER_SECOND = 512 * 1024
_REGION = "us-east-1"


class StoreSettings(Protocol):
    """What the store needs of `ember.model.settings.Settings.store`."""

    @property
    def endpoint(self) -> str:
        """The endpoint's URL; empty for AWS' own."""
        ...

    @property
    def region(self) -> str:
        """The region requests are signed for."""
        ...

    @property
    def path_style(self) -> bool:
        """Whether the bucket is in the path (MinIO, SeaweedFS) and not in the host's name."""
        ...


class _Resolver:
    """Gives a session its credentials in place of botocore's search through files, environment and metadata hosts."""

    def __init__(self, credentials: NamespaceCredentials) -> None:
        self._credentials = credentials

    async def load_credentials(self) -> NamespaceCredentials:
        return self._credentials


class Store:
    """Speaks to the store. Use as `async with Store(...) as store`, or call `close()` at the end."""

    def __init__(
        self,
        settings: StoreSettings,
        credentials: CredentialsProvider,
        *,
        ca_file: str | None = None,
        seconds: float = 30.0,
        attempts: int = 3,
    ) -> None:
        self._settings = settings
        self._provider = credentials
        self._ca_file = ca_file
        self._seconds = seconds
        self._config = AioConfig(
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.path_style else "auto"},
            connect_timeout=min(5.0, seconds),
            read_timeout=seconds,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            max_pool_connections=16,
            # Checksums in trailers are newer than many S3 servers; TLS and the signature cover the body already.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._stack = AsyncExitStack()
        self._clients: dict[str, asyncio.Task[tuple[Any, NamespaceCredentials]]] = {}
        self._loader: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the store can be used again afterwards."""
        clients, self._clients = self._clients, {}
        for task in clients.values():
            task.cancel()
        await asyncio.gather(*clients.values(), return_exceptions=True)
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def prepare(self, namespace: str = "") -> None:
        """Open the client and fetch the credentials ahead of the first call: that takes a third of a second."""
        try:
            async with asyncio.timeout(self._seconds):
                _, credentials = await self._client(namespace)
                await credentials.get_frozen_credentials()
        except TimeoutError as error:
            raise StoreUnavailable(f"no credentials for the namespace {namespace} in time", "NoCredentials") from error

    async def put_object(
        self,
        uri: str,
        body: bytes | BinaryIO,
        *,
        namespace: str = "",
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write a whole object. A file must be seekable: it is read again at a retry."""
        size = len(body) if isinstance(body, bytes) else _size(body)

        async def put(client: Any, bucket: str, key: str) -> None:
            if not isinstance(body, bytes):
                body.seek(0)
            await client.put_object(
                Bucket=bucket, Key=key, Body=body, ContentType=content_type, Metadata=dict(metadata or {})
            )

        await self._call("s3:PutObject", uri, namespace, put, seconds=size / _SLOWEST_BYTES_PER_SECOND)

    async def get_object(self, uri: str, *, namespace: str = "", limit: int = 64 * 1024 * 1024) -> bytes:
        """Return an object's bytes; refuses objects larger than the limit, as they are held in memory."""

        async def get(client: Any, bucket: str, key: str) -> bytes:
            answer = await client.get_object(Bucket=bucket, Key=key)
            async with answer["Body"] as body:
                if answer["ContentLength"] > limit:
                    raise StoreRefused(f"the object {uri} is larger than {limit} bytes", "EntityTooLarge")
                return bytes(await body.read())

        return await self._call("s3:GetObject", uri, namespace, get, seconds=limit / _SLOWEST_BYTES_PER_SECOND)

    async def head(self, uri: str, *, namespace: str = "") -> Mapping[str, str] | None:
        """Return an object's metadata, or None where there is no such object."""

        async def look(client: Any, bucket: str, key: str) -> Mapping[str, str] | None:
            try:
                answer = await client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                # A HEAD has no body to tell a missing key from a missing bucket: both are "not there".
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                    return None
                raise
            return {str(name).lower(): str(value) for name, value in answer.get("Metadata", {}).items()}

        return await self._call("s3:GetObject", uri, namespace, look)

    async def copy(self, source: str, target: str, *, namespace: str = "") -> None:
        """Copy an object within the store, with its metadata."""
        origin = parse_s3_uri(source)

        async def copy(client: Any, bucket: str, key: str) -> None:
            await client.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": origin.bucket, "Key": origin.key})

        await self._call("s3:PutObject", target, namespace, copy, seconds=60.0)

    async def ensure_marker(self, uri: str, *, namespace: str = "") -> None:
        """Write the empty object `prefix/`: Spark's event log directory must exist before the driver starts."""
        await self.put_object(
            uri if uri.endswith("/") else uri + "/", b"", namespace=namespace, content_type="application/x-directory"
        )

    async def _call(
        self,
        action: str,
        uri: str,
        namespace: str,
        call: Callable[[Any, str, str], Awaitable[_Result]],
        seconds: float = 0.0,
    ) -> _Result:
        """Make one call within a bound; once more with new credentials when the store calls the old ones expired."""
        try:
            bucket, key = parse_s3_uri(uri)
        except ValueError as error:
            raise StoreRefused(str(error), "InvalidURI") from error
        try:
            async with asyncio.timeout(2 * self._seconds + seconds):
                client, credentials = await self._client(namespace)
                try:
                    return await call(client, bucket, key)
                except ClientError as error:
                    if not wants_new_credentials(error):
                        raise
                    credentials.forget()
                    return await call(client, bucket, key)
        except Exception as error:
            raise translate(error, action=action, bucket=bucket, key=key, namespace=namespace) from error

    async def _client(self, namespace: str) -> tuple[Any, NamespaceCredentials]:
        """Return the namespace's client; concurrent first calls share its making."""
        task = self._clients.get(namespace)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._clients[namespace] = asyncio.create_task(self._open(namespace))
        return await asyncio.shield(task)

    async def _open(self, namespace: str) -> tuple[Any, NamespaceCredentials]:
        session: AioSession = get_session()
        if self._loader is None:
            self._loader = session.get_component("data_loader")
        # The loader holds the parsed description of S3 (megabytes, tens of milliseconds): shared by all namespaces.
        session.register_component("data_loader", self._loader)
        credentials = NamespaceCredentials(namespace, self._provider)
        session.register_component("credential_provider", _Resolver(credentials))
        client = await self._stack.enter_async_context(
            session.create_client(
                "s3",
                region_name=self._settings.region or _REGION,
                endpoint_url=self._settings.endpoint or None,
                verify=self._ca_file,
                config=self._config,
            )
        )
        return client, credentials


def _size(body: BinaryIO) -> int:
    size = body.seek(0, 2)
    body.seek(0)
    return size
