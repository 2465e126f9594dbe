"""A label at a real model server, followed by a gateway to whatever version it stands for."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from automl import images
from automl.errors import UsageError
from automl.model import Model
from automl_serving.gateway.settings import GatewaySettings

FILES = {"image": ("a.png", images.encode_png(np.full((4, 4, 3), (255, 0, 0), np.uint8)))}
NAMES = {1: "rot", 2: "red", 3: "rouge"}


@pytest.fixture(scope="module")
def folder(colour_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions of a model, whose labels tell which one answers."""
    base = tmp_path_factory.mktemp("labels") / "colours"
    for version, name in NAMES.items():
        shutil.copytree(colour_model.path, base / str(version))
        labels = (name, *colour_model.labels[1:])
        dataclasses.replace(colour_model.manifest, version=version, labels=labels).write(
            base / str(version)
        )
    return base


@pytest.fixture(scope="module")
def stand_for(folder: Path, start_server: Callable[..., Any]) -> Callable[..., int]:
    """A model server of the three; lets labels stand for versions, and returns its port."""
    config = folder.with_name("models.config")

    def set_labels(**labels: int) -> int:
        told = " ".join(f'version_labels {{ key: "{k}" value: {v} }}' for k, v in labels.items())
        every = " ".join(f"versions: {version}" for version in NAMES)
        new = config.with_suffix(".new")
        new.write_text(
            f'model_config_list {{ config {{ name: "colours" base_path: "{folder}" '
            f'model_platform: "tensorflow" '
            f"model_version_policy {{ specific {{ {every} }} }} {told} }} }}"
        )
        new.replace(config)
        return port

    port = 0
    set_labels()
    server = start_server(
        "model_server",
        f"--model_config_file={config}",
        "--model_config_file_poll_wait_seconds=0.1",
        "--port=0",
        "--rest_api_port=0",
    )
    port = server.ready["port"]
    return set_labels


@pytest.fixture
def client(folder: Path, stand_for: Any, start_server: Callable[..., Any]) -> Iterator[Any]:
    """Talks to a gateway of version 1 that lets `next` answer all, and `later` in the shadow."""
    port = stand_for()
    server = start_server(
        "gateway",
        "--model=colours",
        f"--manifest={folder / '1'}",
        f"--upstream=127.0.0.1:{port}",
        "--canary-label=next",
        "--canary-weight=1",
        "--shadow-label=later",
        "--port=0",
    )
    with httpx.Client(base_url=server.ready["url"], trust_env=False, timeout=30) as one:
        yield one
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def answered(client: httpx.Client) -> tuple[int, str]:
    answer = client.post("/v1/score", files=FILES)
    assert answer.status_code == 200, answer.text
    return answer.json()["version"], answer.json()["results"][0]["label"]


def eventually(look: Callable[[], Any], wanted: Any) -> None:
    deadline = time.monotonic() + 30
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_a_label_is_followed_wherever_it_goes(client: httpx.Client, stand_for: Any) -> None:
    assert answered(client) == (1, "rot")
    for version in (2, 3, 1, 2):
        stand_for(next=version)
        eventually(lambda: answered(client), (version, NAMES[version]))
    stand_for()
    eventually(lambda: answered(client), (1, "rot"))


def test_a_version_whose_folder_comes_later(
    client: httpx.Client, stand_for: Any, folder: Path
) -> None:
    stand_for(next=2)
    eventually(lambda: answered(client), (2, "red"))
    manifest = folder / "3" / "assets.extra" / "manifest.json"
    manifest.rename(folder / "away.json")
    try:
        stand_for(next=3)
        eventually(lambda: answered(client), (1, "rot"))
    finally:
        (folder / "away.json").rename(manifest)
    eventually(lambda: answered(client), (3, "rouge"))


def test_a_label_may_name_the_shadow(client: httpx.Client, stand_for: Any) -> None:
    stand_for(later=3)

    def disagreed() -> bool:
        answered(client)
        text = client.get("/metrics").text
        return 'automl_gateway_predictions_total{label="rouge",version="3"}' in text

    eventually(disagreed, True)
    assert answered(client) == (1, "rot")


@pytest.mark.parametrize("kind", ["canary", "shadow"])
def test_a_label_needs_the_folder_of_versions(folder: Path, kind: str) -> None:
    def parse(*arguments: str) -> GatewaySettings:
        return GatewaySettings.parse(["--model=m", *arguments], "automl-gateway", "")

    with pytest.raises(UsageError, match=f"expected --{kind}-label or --{kind}-manifest"):
        parse(f"--manifest={folder / '1'}", f"--{kind}-label=a", f"--{kind}-manifest={folder}/2")
    file = folder / "1" / "assets.extra" / "manifest.json"
    with pytest.raises(UsageError, match=f"beside which --{kind}-label finds others"):
        parse(f"--manifest={file}", f"--{kind}-label=a")
