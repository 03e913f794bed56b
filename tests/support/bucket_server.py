"""A server of the calls of S3's protocol that a bucket of clips needs; it checks no signature."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

DATE, RFC_DATE = "2026-11-29T04:15:03.000Z", "Sun, 29 Nov 2026 04:15:03 GMT"


@dataclass
class BucketServer:
    """What the server holds and was asked.

    Attributes:
        objects: by name.
        requests: method and name of each request, in order.
        refuses: methods that are answered 503.
        unsigned: requests without a signature.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    unsigned: int = 0
    port: int = 0

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


class _Server(ThreadingHTTPServer):
    held: BucketServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def reply(self, status: int, body: bytes = b"", media: str = "application/xml") -> None:
        self.send_response(status)
        facts = {"Content-Type": media, "ETag": '"x"', "Last-Modified": RFC_DATE}
        for name, value in {**facts, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def asked(self) -> str | None:
        """The object that is asked for; None where the request is refused."""
        held = self.server.held
        held.unsigned += "AWS4-HMAC-SHA256" not in self.headers.get("Authorization", "")
        name = unquote(urlsplit(self.path).path).removeprefix("/clips").removeprefix("/")
        held.requests.append((self.command, name))
        if self.command not in held.refuses:
            return name
        self.reply(503, b"<Error><Code>SlowDown</Code><Message>busy</Message></Error>")
        return None

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if (name := self.asked()) is not None:
            is_chunked = "aws-chunked" in self.headers.get("Content-Encoding", "")
            self.server.held.objects[name] = _chunks(body) if is_chunked else body
            self.reply(200)

    def do_DELETE(self) -> None:
        if (name := self.asked()) is not None:
            self.server.held.objects.pop(name, None)
            self.reply(204)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        objects, query = self.server.held.objects, parse_qs(urlsplit(self.path).query)
        if (name := self.asked()) is None:
            return
        if "list-type" in query:
            self.reply(200, _listing(objects, query))
        elif name not in objects:
            words = f"<Error><Code>NoSuchKey</Code><Key>{escape(name)}</Key></Error>"
            self.reply(404, words.encode())
        elif found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            last = int(found[2]) + 1 if found[2] else None
            self.reply(206, objects[name][int(found[1]) : last], "application/octet-stream")
        else:
            self.reply(200, objects[name], "application/octet-stream")


@contextmanager
def bucket_server() -> Iterator[BucketServer]:
    """Serve an empty bucket until the end."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.held = BucketServer(port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listing(objects: dict[str, bytes], query: dict[str, list[str]]) -> bytes:
    (prefix,) = query.get("prefix", [""])
    (after,) = query.get("continuation-token", [""])
    names = sorted(name for name in objects if name.startswith(prefix) and name > after)
    page, is_more = names[:7], len(names) > 7
    rows = "".join(
        f"<Contents><Key>{escape(name)}</Key><LastModified>{DATE}</LastModified>"
        f'<ETag>"x"</ETag><Size>{len(objects[name])}</Size></Contents>'
        for name in page
    )
    token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if is_more else ""
    return (
        f"<ListBucketResult><Name>clips</Name><IsTruncated>{str(is_more).lower()}</IsTruncated>"
        f"{token}{rows}</ListBucketResult>"
    ).encode()


def _chunks(body: bytes) -> bytes:
    """The content of a body in signed chunks."""
    content = b""
    while body:
        head, _, body = body.partition(b"\r\n")
        size = int(head.split(b";")[0], 16)
        content, body = content + body[:size], body[size + 2 :]
    return content
