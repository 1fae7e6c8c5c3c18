"""A stand-in for S3 with one bucket, addressed by path: what S3A, its magic committer and the event log ask of it.

ETags are quoted and the same wherever an object is named, or S3A takes it for changed.
"""

import re
from email.utils import formatdate
from typing import ClassVar
from urllib.parse import unquote
from xml.sax.saxutils import escape

from ember.worker.warm.loopback import Handler, Server

_WHEN = "2026-01-01T00:00:00.000Z"
_ETAG = '"whole"'


def start(objects: dict[str, bytes]) -> Server:
    """Serve these objects."""
    return Server(type("Served", (_Store,), {"objects": objects, "uploads": {}}))


class _Store(Handler):
    objects: ClassVar[dict[str, bytes]]
    uploads: ClassVar[dict[str, dict[int, bytes]]]
    key = ""

    def answer(self) -> None:
        """Answer /<bucket>[/<key>]."""
        self.key = "/".join(self.parts[1:])
        if "uploads" in self.query or "uploadId" in self.query:
            self._upload()
        elif self.command == "POST":
            for key in re.findall(r"<Key>([^<]*)</Key>", self.body.decode()):
                self.objects.pop(key, None)
            self._xml("DeleteResult")
        elif self.command == "PUT":
            self._put()
        elif self.command == "DELETE":
            self.objects.pop(self.key, None)
            self.send(204)
        elif self.key:
            self._get()
        else:
            self._listing(self.query.get("prefix", ""), self.query.get("delimiter", ""))

    def _upload(self) -> None:
        parts = self.uploads.setdefault(self.key, {})
        if self.command == "PUT":
            parts[int(self.query["partNumber"])] = self._content()
            self.send(200, ETag='"part"')
        elif self.command == "DELETE":
            self.send(204)
        elif self.command == "GET":
            self._xml("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>")
        elif "uploads" in self.query:
            self._xml("InitiateMultipartUploadResult", f"<Key>{escape(self.key)}</Key><UploadId>u</UploadId>")
        else:
            self.objects[self.key] = b"".join(parts[number] for number in sorted(parts))
            self._xml("CompleteMultipartUploadResult", f"<Key>{escape(self.key)}</Key><ETag>{_ETAG}</ETag>")

    def _put(self) -> None:
        source = self.headers.get("x-amz-copy-source")
        if source:
            self.objects[self.key] = self.objects[unquote(source).lstrip("/").partition("/")[2]]
            self._xml("CopyObjectResult", f"<LastModified>{_WHEN}</LastModified><ETag>{_ETAG}</ETag>")
        else:
            self.objects[self.key] = self._content()
            self.send(200, ETag=_ETAG)

    def _get(self) -> None:
        whole = self.objects.get(self.key)
        if whole is None:
            self.send(404)
            return
        headers = {"ETag": _ETAG, "Last_Modified": formatdate(0, usegmt=True), "Accept_Ranges": "bytes"}
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if self.command == "HEAD":
            self.send(200, b"", **headers, Content_Length=str(len(whole)))
        elif asked:
            first, last = int(asked[1]), min(int(asked[2] or len(whole)), len(whole) - 1)
            self.send(206, whole[first : last + 1], **headers, Content_Range=f"bytes {first}-{last}/{len(whole)}")
        else:
            self.send(200, whole, **headers)

    def _listing(self, prefix: str, delimiter: str) -> None:
        # Copies: other threads add and remove objects meanwhile.
        rest = {key: key[len(prefix) :] for key in sorted(self.objects.copy()) if key.startswith(prefix)}
        folders = {prefix + r.partition("/")[0] + "/" for r in rest.values() if delimiter and delimiter in r}
        keys = [key for key in rest if not delimiter or delimiter not in rest[key]]
        body = f"<IsTruncated>false</IsTruncated><KeyCount>{len(keys) + len(folders)}</KeyCount>"
        for key in keys:
            size = len(self.objects.get(key, b""))
            about = f"<ETag>{_ETAG}</ETag><Size>{size}</Size><LastModified>{_WHEN}</LastModified>"
            body += f"<Contents><Key>{escape(key)}</Key>{about}</Contents>"
        for folder in sorted(folders):
            body += f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
        self._xml("ListBucketResult", body)

    def _xml(self, root: str, body: str = "") -> None:
        self.send(200, f"<{root}><Name>b</Name>{body}</{root}>".encode(), Content_Type="application/xml")

    def _content(self) -> bytes:
        """The body, out of the signed chunks that the SDK may wrap it in."""
        if "x-amz-decoded-content-length" not in self.headers:
            return self.body
        content, rest = b"", self.body
        while rest:
            head, _, rest = rest.partition(b"\r\n")
            size = int(head.split(b";")[0] or b"0", 16)
            if not size:
                break
            content, rest = content + rest[:size], rest[size + 2 :]
        return content
