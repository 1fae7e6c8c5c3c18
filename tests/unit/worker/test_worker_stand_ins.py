"""The stand-ins of the warm-up: what S3A asks of a store, without Java."""

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from ember.worker.warm import store
from ember.worker.warm.loopback import Server


@pytest.fixture
def bucket() -> Iterator[Server]:
    server = store.start({"in/a.txt": b"0123456789", "in/deep/b.txt": b"b"})
    yield server
    server.close()


def ask(bucket: Server, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection(urlsplit(bucket.url).netloc, timeout=5)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, f"/bucket{path}", body, names)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, dict(answer.headers)


def test_objects(bucket: Server) -> None:
    assert ask(bucket, "PUT", "/x%20y", b"text")[2]["ETag"] == '"whole"'
    status, content, headers = ask(bucket, "GET", "/x%20y")
    assert (status, content, headers["ETag"]) == (200, b"text", '"whole"')
    assert ask(bucket, "GET", "/in/a.txt", Range="bytes=2-4")[:2] == (206, b"234")
    assert ask(bucket, "GET", "/in/a.txt", Range="bytes=8-")[2]["Content-Range"] == "bytes 8-9/10"
    assert ask(bucket, "HEAD", "/in/a.txt")[2]["Content-Length"] == "10"
    assert ask(bucket, "PUT", "/copy", x_amz_copy_source="/bucket/in/a.txt")[0] == 200
    assert ask(bucket, "GET", "/copy")[1] == b"0123456789"
    assert ask(bucket, "DELETE", "/copy")[0] == 204
    assert ask(bucket, "GET", "/copy")[0] == 404


def test_signed_chunks_are_taken_out(bucket: Server) -> None:
    body = b"3;chunk-signature=s\r\nabc\r\n2;chunk-signature=s\r\nde\r\n0;chunk-signature=s\r\n\r\n"
    ask(bucket, "PUT", "/chunked", body, x_amz_decoded_content_length="5")
    assert ask(bucket, "GET", "/chunked")[1] == b"abcde"


def test_multipart_upload(bucket: Server) -> None:
    assert b"<UploadId>" in ask(bucket, "POST", "/big?uploads")[1]
    for number, part in ((2, b"two"), (1, b"one")):
        ask(bucket, "PUT", f"/big?partNumber={number}&uploadId=u", part)
    assert b"&quot;whole&quot;" in (done := ask(bucket, "POST", "/big?uploadId=u")[1]) or b'"whole"' in done
    assert ask(bucket, "GET", "/big")[1] == b"onetwo"


def test_listing_and_bulk_delete(bucket: Server) -> None:
    listing = ask(bucket, "GET", "?list-type=2&prefix=in/&delimiter=/")[1]
    assert b"<Key>in/a.txt</Key>" in listing
    assert b"<Prefix>in/deep/</Prefix>" in listing
    assert b"b.txt" not in listing
    ask(bucket, "POST", "?delete", b"<Delete><Object><Key>in/a.txt</Key></Object></Delete>")
    assert b"a.txt" not in ask(bucket, "GET", "?list-type=2&prefix=in/")[1]


def test_a_client_that_asks_first_is_answered_at_once(bucket: Server) -> None:
    address = urlsplit(bucket.url)
    with socket.create_connection((address.hostname, address.port), timeout=2) as connection:
        connection.sendall(b"PUT /bucket/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"x")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
