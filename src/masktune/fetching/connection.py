"""One request to a server: http and https alone, also behind redirects, and each failure as one reason."""

import socket
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from masktune.errors import InputError
from masktune.fetching.trouble import BrokeOff, NothingLeft, Unusable
from masktune.types import Number
from masktune.version import VERSION

CHUNK = 1 << 18

NO_NAME = "its name cannot be looked up"
"""What is wrong with a server where there is no network."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""States of a server that may be better in a minute."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says before the content."""

    response: HTTPResponse
    start: int
    """Position in the file of the first byte that comes."""
    total: int | None
    """Bytes of the whole file; None where the server does not say."""
    version: str
    """What changes when the file changes: ETag, else date and length; "" where the server says neither."""

    def read(self, most: int) -> bytes:
        """Up to `most` bytes; b"" at the end, or where the connection broke."""
        with network_errors():
            return self.response.read(most)


def check_address(url: str) -> None:
    """Refuse what is no address of a web server."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"expected an address that begins with http:// or https://, got {url!r}")


@contextmanager
def asked(url: str, headers: Mapping[str, str], timeout: Number) -> Iterator[Answer]:
    """Ask for a file; redirects are followed.

    Args:
        url: address.
        headers: to send beside our own; `Range` for a part of the file.
        timeout: seconds without an answer or a byte.

    Raises:
        Unusable: the server refuses, or leads to something else than a web server.
        BrokeOff: no answer, or one that may be another in a minute.
    """
    request = urllib.request.Request(
        url, headers={"User-Agent": f"masktune/{VERSION}", "Accept-Encoding": "identity", **headers}
    )
    with network_errors():
        response = _opener().open(request, timeout=timeout)
    with response:
        yield _answer(response)


def host(url: str) -> str:
    """Of an address, for a person."""
    return urlsplit(url).hostname or url


@contextmanager
def network_errors() -> Iterator[None]:
    """Turn what urllib, http and ssl raise into our two kinds of trouble."""
    try:
        yield
    except HTTPError as error:
        error.close()
        said = f"the server says {error.code} {error.reason}"
        kind = {416: NothingLeft}.get(error.code, BrokeOff if error.code in _PASSING else Unusable)
        raise kind(said) from error
    except URLError as error:
        raise _no_connection(error.reason) from error
    except (HTTPException, OSError) as error:
        raise _no_connection(error) from error


def _no_connection(reason: object) -> Exception:
    match reason:
        case ssl.SSLCertVerificationError():
            return Unusable(f"its certificate cannot be trusted ({reason.verify_message})")
        case socket.gaierror():
            return BrokeOff(NO_NAME, reached=False)
        case ConnectionRefusedError():
            return BrokeOff("it refuses connections", reached=False)
        case TimeoutError():
            return BrokeOff("it does not answer in time")
        case OSError():
            return BrokeOff(f"the connection failed ({reason.strerror or reason})".lower())
        case HTTPException():
            return BrokeOff(f"its answer makes no sense ({type(reason).__name__})")
    return Unusable(str(reason))


def _answer(response: HTTPResponse) -> Answer:
    headers = response.headers
    start, total = 0, _number(headers.get("Content-Length"))
    if response.status == 206:
        # "bytes 100-199/200"; a server that counts otherwise is not understood, and its content not used.
        span, _, whole = headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        first, last = (_number(word) for word in [*span.split("-"), ""][:2])
        if first is None or last is None:
            raise Unusable(
                f"it sends a part of the file and does not say which ({headers.get('Content-Range')})"
            )
        start, total = first, _number(whole)
    changed = headers.get("Last-Modified")
    version = headers.get("ETag") or (f"{changed}, {total} bytes" if changed else "")
    return Answer(response, start, total, version)


def _number(word: str | None) -> int | None:
    return int(word) if word is not None and word.isascii() and word.isdigit() else None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to web servers only, and never from https to http, where anybody could answer."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            raise Unusable(f"it leads from {before} to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Without the handlers of files, ftp and data addresses that urllib has by default."""
    opener = urllib.request.OpenerDirector()
    handlers: list[Any] = [
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ]
    for handler in handlers:
        opener.add_handler(handler)
    return opener
