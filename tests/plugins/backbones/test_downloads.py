"""Weights are downloaded once, whole, or refused in one sentence without a wait."""

import hashlib
import http.server
import socket
import threading

import keras
import numpy as np
import pytest

from automl.errors import WeightsUnavailableError
from automl_plugins.backbones import downloads
from automl_plugins.backbones.downloads import Download, fetch, find
from automl_plugins.backbones.mobilenet_v2 import MobileNetV2

CONTENT = b"weights " * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    """Empty caches, and no proxy between this test and its own server."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path


@pytest.fixture
def server(tmp_path):
    """Serves a folder; `log` lists the requests, `cut` ends answers before their end."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.h5").write_bytes(CONTENT)

    class Handler(http.server.SimpleHTTPRequestHandler):
        log, cut = [], False

        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            self.log.append(f"{self.command} {self.path}")

        def copyfile(self, source, outputfile):
            outputfile.write(source.read()[: 100 if self.cut else None])

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.folder, server.handler = folder, Handler
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("digest", [MD5, SHA256, SHA256[:8], ""])
def test_a_file_is_downloaded_once(server, caches, digest):
    download = Download(f"{server.url}/a.h5", digest)
    assert find(download) is None
    assert fetch(download) == caches / "keras" / "models" / "a.h5"
    assert fetch(download).read_bytes() == CONTENT
    assert find(download) == fetch(download)
    assert server.handler.log == ["HEAD /a.h5", "GET /a.h5"]


def test_what_pytorch_has_downloaded_is_found(caches):
    folder = caches / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "a.pth").write_bytes(CONTENT)
    assert find(Download("https://example.org/a.pth")) == folder / "a.pth"


@pytest.mark.parametrize("digest", ["0" * 32, "0" * 64, "0" * 8])
def test_a_wrong_checksum_leaves_no_file(server, caches, digest):
    with pytest.raises(WeightsUnavailableError, match="another checksum"):
        fetch(Download(f"{server.url}/a.h5", digest))
    assert list((caches / "keras" / "models").iterdir()) == []


def test_a_download_that_breaks_off_leaves_no_file(server, caches):
    server.handler.cut = True
    with pytest.raises(WeightsUnavailableError, match="100 of 8000 bytes"):
        fetch(Download(f"{server.url}/a.h5"))
    assert list((caches / "keras" / "models").iterdir()) == []


def test_a_file_that_is_not_there_says_the_answer(server):
    with pytest.raises(WeightsUnavailableError, match=r"b\.h5, found: the answer 404"):
        fetch(Download(f"{server.url}/b.h5"))


def test_a_cache_that_cannot_be_written_is_one_sentence(server, caches):
    (caches / "keras").write_text("a file where the folder should be")
    with pytest.raises(WeightsUnavailableError, match="found: Not a directory"):
        fetch(Download(f"{server.url}/a.h5"))


def test_a_refused_connection_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(WeightsUnavailableError, match=r"Connection refused; connect to") as caught:
        fetch(Download(f"http://127.0.0.1:{port}/a.h5"))
    assert "\n" not in str(caught.value)


def test_a_silent_host_is_given_up_and_not_asked_again(monkeypatch):
    monkeypatch.setattr(downloads, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(WeightsUnavailableError, match=r"timed out|did not answer"):
            fetch(Download(f"{url}/a.h5"))
        with pytest.raises(WeightsUnavailableError, match="out of reach a moment ago"):
            fetch(Download(f"{url}/b.h5"))


class _Mirrored(MobileNetV2):
    """MobileNetV2 whose weights are published on the test's own server."""

    url = ""

    def download(self, depth):
        return Download(f"{self.url}/mobilenet.h5")


def test_a_backbone_downloads_its_pretrained_weights(server):
    original = keras.applications.MobileNetV2(
        alpha=0.5, weights=None, include_top=False, input_shape=(64, 64, 3), pooling="avg"
    )
    original.save(server.folder / "mobilenet.h5")
    backbone = _Mirrored()
    backbone.url = server.url
    before = backbone.weights(50)
    assert before.path is None
    assert before.url == f"{server.url}/mobilenet.h5"
    model = backbone.build(50, 64, "pretrained")
    assert backbone.weights(50).path.is_file()
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    expected = np.asarray(original(pictures / 127.5 - 1, training=False))
    np.testing.assert_allclose(np.asarray(model(pictures)), expected, atol=1e-5)


def test_without_a_network_nothing_is_built_from_random_weights():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    backbone = _Mirrored()
    backbone.url = f"http://127.0.0.1:{port}"
    with pytest.raises(WeightsUnavailableError, match="expected to download"):
        backbone.build(50, 64, "pretrained")
