"""Pretrained weights that are downloaded once, into the folder where Keras keeps its own."""

from __future__ import annotations

import abc
import hashlib
import http.client
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from automl.components import Backbone, Weights
from automl.errors import WeightsUnavailableError
from automl.files import replacing

CONNECT_SECONDS = 3.0
"""How long a host may take to answer before it counts as out of reach."""

_RETRY_SECONDS = 60.0
_STALL_SECONDS = 30.0
_CHUNK_BYTES = 1 << 20
_unreachable: dict[str, float] = {}


@dataclass(frozen=True)
class Download:
    """A file on the web.

    Attributes:
        url: Its address; the last part names the file in the cache.
        digest: Its MD5 (32 hexadecimal digits), or its SHA-256 or the first digits of that;
            empty where the publisher names none.
    """

    url: str
    digest: str = ""

    @property
    def name(self) -> str:
        """The name of the file in the cache."""
        return self.url.rpartition("/")[2]


class DownloadedBackbone(Backbone):
    """A backbone whose pretrained weights are downloaded at first use."""

    @abc.abstractmethod
    def download(self, depth: int | str) -> Download:
        """Returns where the ImageNet weights of `depth` are published."""

    def weights(self, depth: int | str) -> Weights:
        """Says whether the ImageNet weights are in the cache; touches no network."""
        download = self.download(depth)
        return Weights(
            name="imagenet",
            path=find(download),
            url=download.url,
            hint="connect to the internet, or name a file with --set weights=FILE",
        )

    def weights_file(self, depth: int | str, weights: str | None) -> Path | None:
        """Returns the file that `weights` (see `build`) means, downloaded if need be.

        Raises:
            WeightsUnavailableError: If the pretrained weights cannot be downloaded.
        """
        if weights is None:
            return None
        return fetch(self.download(depth)) if weights == "pretrained" else Path(weights)


def find(download: Download) -> Path | None:
    """Returns the file where Keras, or PyTorch, has downloaded it before."""
    paths = (folder / download.name for folder in (_keras_cache(), _torch_cache()))
    return next((path for path in paths if path.is_file()), None)


def fetch(download: Download) -> Path:
    """Returns the file, downloading it into Keras' cache if it is not on this machine.

    The file appears under its name when it is complete and its digest is right. A host that
    was out of reach is not tried again for a minute.

    Raises:
        WeightsUnavailableError: If it cannot be downloaded.
    """
    if found := find(download):
        return found
    target = _keras_cache() / download.name
    try:
        _check_reachable(download.url)
        _copy(download, target)
    except (OSError, http.client.HTTPException) as error:
        raise WeightsUnavailableError(
            f"expected to download the pretrained weights {download.url}, found: "
            f"{_reason(error)}; connect to the internet, or name a file with --set weights=FILE."
        ) from error
    return target


def _copy(download: Download, target: Path) -> None:
    digest = hashlib.md5() if len(download.digest) == 32 else hashlib.sha256()
    with (
        urllib.request.urlopen(download.url, timeout=_STALL_SECONDS) as response,
        replacing(target) as file,
    ):
        expected = response.headers.get("Content-Length")
        received = 0
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
        if expected is not None and received != int(expected):
            raise OSError(f"only {received} of {expected} bytes arrived")
        if not digest.hexdigest().startswith(download.digest):
            raise OSError("what arrived has another checksum")


def _check_reachable(url: str) -> None:
    """Asks the host for the file's head, so that no network means no waiting.

    In a thread of its own, because looking up a host's name knows no time limit.

    Raises:
        OSError: If the host does not answer in time.
    """
    host = urllib.parse.urlsplit(url).netloc
    if time.monotonic() - _unreachable.get(host, -_RETRY_SECONDS) < _RETRY_SECONDS:
        raise OSError(f"{host} was out of reach a moment ago")
    outcome: list[OSError | None] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=CONNECT_SECONDS).close()
            outcome.append(None)
        except urllib.error.HTTPError as error:
            error.close()
            outcome.append(None)  # an answer all the same; the download says what it means
        except (OSError, http.client.HTTPException) as error:
            outcome.append(OSError(_reason(error)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    failure = outcome[0] if outcome else OSError(f"{host} did not answer")
    if failure is not None:
        _unreachable[host] = time.monotonic()
        raise failure


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the answer {error.code} ({error.reason})"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return " ".join(text.split()) or type(error).__name__


def _keras_cache() -> Path:
    """Returns the folder of `keras.utils.get_file(cache_subdir="models")`."""
    home = os.environ.get("KERAS_HOME")
    return Path(home) / "models" if home else Path.home() / ".keras" / "models"


def _torch_cache() -> Path:
    """Returns the folder of `torch.hub.load_state_dict_from_url`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub" / "checkpoints"
