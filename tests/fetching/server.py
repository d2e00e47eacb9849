"""A web server on 127.0.0.1 that misbehaves as it is told."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class File:
    """What the server has at one address, and how it gives it out."""

    content: bytes = b""
    etag: str | None = '"one"'
    modified: str | None = None
    kind: str = "application/octet-stream"
    status: int = 200
    length: int | None = None
    """Content-Length to claim; the true one if not given."""
    says_length: bool = True
    breaks_after: list[int] = field(default_factory=list)
    """Bytes after which the connection is cut: one number for each of the next requests."""
    stalls_after: int | None = None
    """Bytes after which nothing comes any more, though the connection stays."""
    failures: list[int] = field(default_factory=list)
    """States to answer the next requests with."""
    ranges: bool = True
    """Whether a part can be asked for."""
    wrong_start: int | None = None
    """Position that a part begins at instead of the one asked for."""
    leads_to: str | None = None
    """Another address to go to."""


class Server:
    """Holds the files, and remembers what was asked for and how many bytes were sent."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.ranges: dict[str, list[str | None]] = defaultdict(list)
        """Of each address, the Range of each request."""
        self.sent: dict[str, int] = defaultdict(int)
        """Of each address, the bytes of content that were sent."""
        handler = type("Handler", (_Handler,), {"place": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.stalled = threading.Event()
        """Set when a connection has stalled."""
        self.released = threading.Event()
        """To be set when stalled connections may end."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{path}"

    def put(self, path: str, content: bytes = b"", **how) -> str:
        self.files[f"/{path}"] = File(content, **how)
        return self.url(path)

    def asked(self, path: str) -> list[str | None]:
        return self.ranges[f"/{path}"]

    def bytes_of(self, path: str) -> int:
        return self.sent[f"/{path}"]


class _Handler(BaseHTTPRequestHandler):
    place: Server

    def log_message(self, *args: object) -> None:
        """Not onto the terminal."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        file = self.place.files.get(path)
        self.place.ranges[path].append(self.headers.get("Range"))
        if file is None or file.failures or file.leads_to:
            self._without_content(file)
            return
        start = self._start(file)
        if start is not None and start >= len(file.content):
            self.send_error(416)
            return
        self.send_response(206 if start is not None else file.status)
        self._headers(file, start)
        self._content(file, path, file.content[start or 0 :])

    def _without_content(self, file: File | None) -> None:
        if file is None:
            self.send_error(404)
        elif file.leads_to:
            self.send_response(302)
            self.send_header("Location", file.leads_to)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.send_error(file.failures.pop(0))

    def _start(self, file: File) -> int | None:
        asked = self.headers.get("Range")
        if not file.ranges or asked is None:
            return None
        return int(asked.removeprefix("bytes=").rstrip("-")) if file.wrong_start is None else file.wrong_start

    def _headers(self, file: File, start: int | None) -> None:
        whole = len(file.content)
        self.send_header("Content-Type", file.kind)
        if file.says_length:
            left = whole - (start or 0)
            self.send_header("Content-Length", str(left if file.length is None else file.length))
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if file.etag:
            self.send_header("ETag", file.etag)
        if file.modified:
            self.send_header("Last-Modified", file.modified)
        self.end_headers()

    def _content(self, file: File, path: str, content: bytes) -> None:
        cut = file.breaks_after.pop(0) if file.breaks_after else len(content)
        if file.stalls_after is not None:
            cut = file.stalls_after
        self.wfile.write(content[:cut])
        if file.stalls_after is not None:
            self.wfile.flush()
            self.place.stalled.set()
            self.place.released.wait()
        self.place.sent[path] += min(cut, len(content))
        self.close_connection = True
