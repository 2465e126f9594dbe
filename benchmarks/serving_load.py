"""What the benchmarks of serving share: a service as it is deployed, pictures to send it, and load.

The load comes from `wrk`, a client in C that takes little of the processors it shares with what it
measures: `apt install wrk`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.components import DeployRequest, Precision
from automl.images import probe
from automl.manifest import Manifest
from automl.plugins import plugin_manager

KEY = "the-key-of-the-benchmarks"
FIELD = "image"
BOUNDARY = "a-boundary-of-the-benchmarks"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": FORM}
STARTING = 300.0
"""How many seconds a service has to come up; it may share the machine."""

_WRK = Path(__file__).with_suffix(".lua")


@dataclass(frozen=True)
class Service:
    """A service under test.

    Attributes:
        url: Where it scores a picture that is posted as a form.
        state: What the target knows of it.
    """

    url: str
    state: Mapping[str, Any]


@contextlib.contextmanager
def deployed(version: Path, precision: Precision = "float32") -> Iterator[Service]:
    """Brings a version up as `automl deploy` does, and takes it down."""
    manifest = Manifest.read(version)
    target = plugin_manager().targets["local"]
    with tempfile.TemporaryDirectory() as place:
        request = DeployRequest(
            "benchmark",
            manifest.name,
            version.absolute(),
            manifest.version,
            KEY,
            Path(place),
            {"timeout": STARTING, "precision": precision},
        )
        service = target.deploy(request)
        try:
            yield Service(f"{service.url}/v1/score", service.state)
        finally:
            target.delete(service.state)


def parser_of(text: str) -> argparse.ArgumentParser:
    """Returns a parser of what every script here takes: VERSION and IMAGES.

    Args:
        text: The script's, of which the first line says what it is for.
    """
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("model", metavar="VERSION", type=Path, help="a version's folder")
    parser.add_argument("images", metavar="IMAGES", type=Path, help="a folder of class folders")
    return parser


def jpegs(folder: Path, count: int) -> list[bytes]:
    """Returns so many JPEG files of a folder of class folders, evenly chosen."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = [path for path in paths if probe(path).format == "JPEG"]
    if not found:
        sys.exit(f"expected JPEG photos in {folder}, found none; name a folder that has some.")
    chosen = found[:: max(1, len(found) // count)][:count]
    return [path.read_bytes() for path in chosen]


def form(picture: bytes) -> bytes:
    """Returns a picture as a form with one file, which every server here understands."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{FIELD}"; filename="1.jpg"\r\n'
        f"Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


@dataclass(frozen=True)
class Load:
    """What wrk found.

    Attributes:
        rate: Answers a second.
        errors: Requests that were refused or not answered.
        milliseconds: Of an answer, the median.
    """

    rate: float
    errors: int
    milliseconds: float


class Wrk:
    """Sends requests in turn, each connection the next one once it has its answer."""

    def __init__(
        self,
        pictures: Sequence[bytes],
        place: Path,
        body: Callable[[bytes], bytes] = form,
        content_type: str = FORM,
    ) -> None:
        """Writes the requests' bodies to the folder `place`, from where wrk reads them."""
        if shutil.which("wrk") is None:
            sys.exit("expected wrk, which makes the load, found none; type `apt install wrk`.")
        self._bodies = []
        self._headers = {**HEADERS, "Content-Type": content_type}
        for number, picture in enumerate(pictures):
            path = place / f"{number}.body"
            path.write_bytes(body(picture))
            self._bodies.append(str(path))

    def __call__(self, url: str, seconds: float, connections: int) -> Load:
        """Keeps so many requests under way for some seconds."""
        headers = [f"-H{name}: {value}" for name, value in self._headers.items()]
        command = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout=30s"]
        script = [f"-s{_WRK}", url, "--", *self._bodies]
        done = subprocess.run(
            [*command, *headers, *script], stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        rate = (found["requests"] - found["refused"]) / found["seconds"]
        return Load(rate, found["refused"] + found["lost"], found["median_ms"])
