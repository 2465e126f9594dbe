"""Fetching from real servers on this machine, of whose addresses one is allowed."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from automl.downloads.addresses import parse_networks
from automl.downloads.fetching import Fetcher, FetchRules
from automl.errors import DownloadError, ForbiddenAddressError

HERE = parse_networks("127.0.0.1")
RULES = FetchRules(allow_http=True, networks=HERE, max_bytes=1000, timeout=5.0)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path; keeps what was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str]] = []  # noqa: RUF012 - each server has a class of its own

    def do_GET(self) -> None:
        self.asked.append((self.headers["Host"], self.path))
        kind, _, rest = self.path[1:].partition("/")
        getattr(self, kind)(rest)
        self.close_connection = True

    def file(self, rest: str) -> None:
        self.answer(200, b"x" * int(rest), {"Content-Length": rest, "Content-Type": "image/png"})

    def stream(self, rest: str) -> None:
        self.answer(200, b"x" * int(rest), {"Connection": "close"})

    def announce(self, rest: str) -> None:
        self.answer(200, b"x", {"Content-Length": rest})

    def to(self, rest: str) -> None:
        self.answer(302, b"", {"Location": rest, "Content-Length": "0"})

    def status(self, rest: str) -> None:
        self.answer(int(rest), b"no", {"Content-Length": "2"})

    def garbage(self, rest: str) -> None:
        self.wfile.write(b"\x00\xff what is this\r\n\r\n")

    def drip(self, rest: str) -> None:
        """Sends a header a byte at a time, each soon enough for a timeout of one read."""
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # the other side has seen enough
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Web:
    """A web server on a loopback address."""

    def __init__(self, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        self.handler: Any = type("Own", (Handler,), {"asked": []})
        self.server = http.server.ThreadingHTTPServer((host, 0), self.handler)
        self.server.daemon_threads = True
        self.port = int(self.server.server_address[1])
        self.url = f"http://{host}:{self.port}"
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    one = Web()
    yield one
    one.close()


@pytest.fixture
def fetch() -> Callable[[str], bytes]:
    fetcher = Fetcher(RULES)
    return lambda url: fetcher.fetch(url).content


def test_a_file_comes_as_it_is(web: Web) -> None:
    fetched = Fetcher(RULES).fetch(f"{web.url}/to/{web.url}/file/1000")
    assert fetched.content == b"x" * 1000
    assert (fetched.url, fetched.content_type) == (f"{web.url}/file/1000", "image/png")
    assert len(Fetcher(RULES).fetch(f"{web.url}/stream/1000").content) == 1000
    # The last of five redirects, relative to where it stands.
    assert Fetcher(RULES).fetch(web.url + "/to/" * 5 + "/file/3").content == b"xxx"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/file/1001", "more than 1,000 bytes"),
        ("/stream/1001", "more than 1,000 bytes"),
        ("/announce/99999999999999999999", "more than 1,000 bytes"),
        ("/announce/10", "no server there that answers as it should"),
        ("/status/404", "the status 404"),
        ("/status/206", "the status 206"),
        ("/garbage/", "no server there that answers as it should"),
        ("/to/" * 6 + "/file/1", "more than 5 redirects"),
    ],
)
def test_what_is_no_file_within_the_limits(
    web: Web, fetch: Callable[[str], bytes], path: str, reason: str
) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch(web.url + path)
    assert caught.value.reason == reason
    assert caught.value.code == "not_fetched"
    assert str(caught.value).startswith(f"expected a file at {web.url}{path}, found {reason}")


def test_a_server_that_drips_is_given_up(web: Web) -> None:
    fetcher = Fetcher(FetchRules(allow_http=True, networks=HERE, timeout=0.4))
    with pytest.raises(DownloadError, match=r"no whole answer within 0\.4 seconds"):
        fetcher.fetch(f"{web.url}/drip/")


def test_a_server_that_is_not_there(fetch: Callable[[str], bytes]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadError, match="no server there"):
            fetch(f"http://127.0.0.1:{free.getsockname()[1]}/")
    with pytest.raises(DownloadError, match="no server there"):
        fetch(f"http://{'a' * 64}.invalid/")


def test_each_redirect_is_checked_again(fetch: Callable[[str], bytes], web: Web) -> None:
    other = Web("127.0.0.2")
    try:
        for address in (other.url, f"http://0x7f000002:{other.port}", "http://169.254.169.254"):
            for url in (f"{address}/file/1", f"{web.url}/to/{address}/file/1"):
                with pytest.raises(ForbiddenAddressError) as caught:
                    fetch(url)
                assert caught.value.code == "address_refused"
                assert "127.0.0.2" not in caught.value.reason
        assert other.handler.asked == []
    finally:
        other.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "gopher://127.0.0.1/a",
        "http://",
        "http://[bad/",
        "http://name:word@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/\n",
        "http://127.0.0.1/" + "a" * 5000,
        "http://\udcff/",
    ],
)
def test_what_is_no_address_to_fetch(fetch: Callable[[str], bytes], web: Web, url: str) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch(url)
    assert "\n" not in caught.value.reason
    location = url.encode("ascii", "replace").decode().replace("\n", "%0a")
    if "://" in url and len(url) < 4000:
        with pytest.raises(DownloadError):
            fetch(f"{web.url}/to/{location}")


def test_http_is_for_those_who_allow_it(web: Web) -> None:
    fetcher = Fetcher(FetchRules(networks=HERE))
    with pytest.raises(ForbiddenAddressError, match="not https"):
        fetcher.fetch(f"{web.url}/file/1")
    assert web.handler.asked == []


def test_a_name_is_looked_up_once_and_stays_the_name(
    web: Web, fetch: Callable[[str], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers otherwise the second time is not asked a second time."""
    answers = iter(["127.0.0.1", "127.0.0.2"])
    lookup = socket.getaddrinfo

    def rebind(host: Any, *arguments: Any, **options: Any) -> Any:
        return lookup(next(answers) if host == "pictures.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    assert fetch(f"http://pictures.example:{web.port}/file/2") == b"xx"
    assert web.handler.asked == [(f"pictures.example:{web.port}", "/file/2")]
    with pytest.raises(ForbiddenAddressError):
        fetch(f"http://pictures.example:{web.port}/file/2")


def test_one_address_of_several_that_is_refused_refuses_the_name(
    fetch: Callable[[str], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = socket.getaddrinfo

    def both(host: Any, *arguments: Any, **options: Any) -> Any:
        return [*lookup("127.0.0.1", *arguments, **options), *lookup("10.0.0.1", *arguments)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(ForbiddenAddressError):
        fetch("http://pictures.example/")


def test_certificates_are_checked_by_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = write_certificate(tmp_path, "pictures.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    told: list[str | None] = []
    context.sni_callback = lambda connection, name, _: told.append(name)
    web = Web(context=context)
    lookup = socket.getaddrinfo

    def here(host: Any, *arguments: Any, **options: Any) -> Any:
        return lookup("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    try:
        with pytest.raises(DownloadError, match="CERTIFICATE_VERIFY_FAILED"):
            Fetcher(RULES).fetch(f"https://pictures.example:{web.port}/file/1")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        fetcher = Fetcher(RULES)
        assert fetcher.fetch(f"https://pictures.example:{web.port}/file/1").content == b"x"
        assert told == ["pictures.example", "pictures.example"]
        with pytest.raises(DownloadError, match="Hostname mismatch"):
            fetcher.fetch(f"https://other.example:{web.port}/file/1")
    finally:
        web.close()


def test_nothing_is_loaded_before_it_is_needed() -> None:
    code = """if True:
        import sys, automl.downloads.fetching
        assert not {"httpx", "httpcore", "numpy", "PIL"} & set(sys.modules), sorted(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def write_certificate(folder: Path, name: str) -> Path:
    """Writes a key with a certificate that it has signed itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return path
