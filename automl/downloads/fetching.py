"""Fetches one file from an address that somebody else has given."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.downloads.addresses import Network
from automl.errors import DownloadError, ForbiddenAddressError

if TYPE_CHECKING:
    import httpcore
    import httpx

_LONGEST_URL = 4096
_REDIRECTS = (301, 302, 303, 307, 308)
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed (RFC 9110, 6585 and 8470)."""


@dataclass(frozen=True)
class FetchRules:
    """What a fetch may do.

    Attributes:
        allow_http: Whether `http` is allowed beside `https`.
        networks: What may be connected to although it is not on the public internet.
        max_bytes: The most bytes of a file.
        timeout: The most seconds for all of it, redirects included; only looking up a name takes
            as long as the system's resolver lets it.
        max_redirects: How many redirects are followed, each checked as the first address was.
        agent: What the request calls itself.
    """

    allow_http: bool = False
    networks: tuple[Network, ...] = ()
    max_bytes: int = 32 << 20
    timeout: float = 20.0
    max_redirects: int = 5
    agent: str = "automl"


@dataclass(frozen=True)
class Fetched:
    """What was at an address.

    Attributes:
        url: Where it was in the end, after redirects.
        content: Its bytes, as they were sent.
        content_type: What the server calls it, empty where it does not say.
    """

    url: str
    content: bytes
    content_type: str


class Fetcher:
    """Fetches files by rules; safe to be used by several threads at a time.

    Each fetch has a connection of its own, so that its time is its own. Certificates are checked
    against certifi's authorities, or `$SSL_CERT_FILE`.
    """

    def __init__(self, rules: FetchRules) -> None:
        """Takes the rules."""
        import httpx

        self.rules = rules
        self._trust = httpx.create_ssl_context()

    def fetch(self, url: str) -> Fetched:
        """Fetches the file at `url`.

        Raises:
            ForbiddenAddressError: If the address, or one that it redirects to, may not be used.
            DownloadError: If there is no file, or not within the limits.
        """
        import httpcore

        from automl.downloads.connecting import GuardedBackend, RefusedError

        backend = GuardedBackend(self.rules.networks, time.monotonic() + self.rules.timeout)
        try:
            with httpcore.ConnectionPool(self._trust, network_backend=backend) as pool:
                return self._follow(pool, url)
        except RefusedError:
            raise _refused(url, "that it leads to a network that is not public") from None
        except httpcore.TimeoutException as error:
            found = f"no whole answer within {self.rules.timeout:g} seconds"
            raise _failed(url, found) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            found = "no server there that answers as it should"
            raise _failed(url, found, str(error), temporary=True) from error

    def _follow(self, pool: httpcore.ConnectionPool, url: str) -> Fetched:
        target = self._parse(url, url)
        for _ in range(self.rules.max_redirects + 1):
            with _get(pool, target, self.rules.agent) as answer:
                headers = {name.lower(): value for name, value in answer.headers}
                location = headers.get(b"location")
                if answer.status not in _REDIRECTS or location is None:
                    content = self._read(url, answer, headers)
                    kind = headers.get(b"content-type", b"").decode("latin-1")
                    return Fetched(str(target), content, kind)
            target = self._parse(url, location.decode("latin-1"), target)
        raise _failed(url, f"more than {self.rules.max_redirects} redirects")

    def _parse(self, given: str, url: str, base: httpx.URL | None = None) -> httpx.URL:
        import httpx

        if len(url) > _LONGEST_URL:
            raise _failed(given[:80] + "…", f"an address of more than {_LONGEST_URL:,} characters")
        try:
            target = httpx.URL(url) if base is None else base.join(url)
        except (httpx.InvalidURL, ValueError):
            raise _failed(given, "that it is no address") from None
        allowed = ("https", "http") if self.rules.allow_http else ("https",)
        if target.scheme not in allowed or not target.host:
            raise _refused(given, f"one that is not {' or '.join(allowed)}")
        if target.userinfo:
            raise _refused(given, "a name or password in it")
        return target

    def _read(self, url: str, answer: httpcore.Response, headers: Mapping[bytes, bytes]) -> bytes:
        if answer.status != 200:
            raise DownloadError(
                _message(url, f"the status {answer.status}"),
                f"the status {answer.status}",
                answer.status,
                answer.status in _TEMPORARY,
                _seconds(headers.get(b"retry-after", b"")),
            )
        most = self.rules.max_bytes
        announced = headers.get(b"content-length", b"")
        too_large = f"more than {most:,} bytes"
        if announced.isdigit() and int(announced) > most:
            raise _failed(url, too_large)
        content = bytearray()
        for chunk in answer.iter_stream():
            content += chunk
            if len(content) > most:
                raise _failed(url, too_large)
        return bytes(content)


def _get(
    pool: httpcore.ConnectionPool, target: httpx.URL, agent: str
) -> AbstractContextManager[httpcore.Response]:
    import httpcore

    url = httpcore.URL(
        scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
    )
    # Compressed, few bytes could be any number.
    headers: dict[bytes | str, bytes | str] = {
        "Host": target.netloc.decode(),
        "User-Agent": agent,
        "Accept-Encoding": "identity",
    }
    return pool.stream("GET", url, headers=headers)


def _seconds(retry_after: bytes) -> float | None:
    """Returns how long a `Retry-After` asks to wait: seconds, or until a date (RFC 9110)."""
    text = retry_after.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, date - time.time())


def _failed(url: str, reason: str, detail: str = "", temporary: bool = False) -> DownloadError:
    shown = f" ({detail})" if detail else ""
    return DownloadError(_message(url, reason + shown), reason, temporary=temporary)


def _message(url: str, found: str) -> str:
    return f"expected a file at {url}, found {found}; check the address."


def _refused(url: str, reason: str) -> ForbiddenAddressError:
    message = f"expected the address of a public file, found {reason} ({url}); use another."
    return ForbiddenAddressError(message, reason)
