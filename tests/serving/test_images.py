"""What goes into the gateway's container image, laid out as its Dockerfile does and started."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from packaging.requirements import Requirement

import automl
import automl_serving
from automl.images import encode_png
from automl.model import Model

GATEWAY = Path(__file__).parents[2] / "serving" / "automl_serving" / "gateway"
KEY = "a-key-of-the-image"


def requirements() -> dict[str, str]:
    """Returns the versions by distribution that an image for this machine installs."""
    lines = (GATEWAY / "requirements.txt").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if not line.startswith("#")]
    return {
        each.name: str(each.specifier).removeprefix("==")
        for each in wanted
        if each.marker is None or each.marker.evaluate()
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the image's `/site`, of links to what is installed here."""
    folder = tmp_path_factory.mktemp("site")
    for name in requirements():
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}:
            if top == "google":  # others install into it, too
                (folder / top).mkdir(exist_ok=True)
                link(folder / top / "protobuf", distribution.locate_file("google/protobuf"))
                link(folder / top / "_upb", distribution.locate_file("google/_upb"))
            elif not (folder / top).exists():
                link(folder / top, distribution.locate_file(top))
    for package in (automl, automl_serving):
        place = Path(str(package.__file__)).parent
        link(folder / place.name, place)
    place = Path(str(importlib.metadata.distribution("tensorflow").locate_file("tensorflow")))
    for file in place.rglob("*_pb2.py"):
        copy = folder / "tensorflow" / file.relative_to(place)
        copy.parent.mkdir(parents=True, exist_ok=True)
        link(copy, file)
    return folder


def link(here: Path, there: object) -> None:
    here.symlink_to(str(there))


def test_the_image_is_enough_to_score_and_to_fetch(
    site: Path, colour_model: Model, model_server: Any, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    keys.write_text(json.dumps({"keys": [{"name": "one", "sha256": digest}]}))
    dockerfile = (GATEWAY / "Dockerfile").read_text()
    entry = json.loads(re.findall(r"^ENTRYPOINT (.*)$", dockerfile, re.MULTILINE)[-1])
    arguments = [
        "--model=colours",
        f"--manifest={colour_model.path}",
        f"--upstream=127.0.0.1:{model_server.ready['port']}",
        "--port=0",
        f"--keys-file={keys}",
        "--fetch-urls=true",
    ]
    environment = {
        "PYTHONPATH": str(site),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AUTOML_GATEWAY_HOST": "0.0.0.0",
        "PATH": os.defpath,
    }
    with subprocess.Popen(
        # Without the site-packages of this environment.
        [sys.executable, "-S", "-s", *entry[1:], *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        headers = {"authorization": f"Bearer {KEY}"}
        url = f"http://127.0.0.1:{ready['port']}"
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
            picture = encode_png(np.zeros((4, 4, 3), np.uint8))
            answer = client.post("/v1/score", files={"a": ("a.png", picture)})
            assert answer.status_code == 200, answer.text
            assert "label" in answer.json()["results"][0]
            body = {"images": [{"url": "https://127.0.0.1/"}]}
            (result,) = client.post("/v1/score", json=body).json()["results"]
            assert result["error"]["code"] == "url_address_refused"
            assert client.get("/v1/models/colours/metadata").status_code == 200
        process.terminate()
        assert process.wait(20) == 0


def test_it_holds_no_library_of_tensorflow(site: Path) -> None:
    held = [path for path in (site / "tensorflow").rglob("*") if not path.is_dir()]
    assert len(held) > 50
    assert {path.name[-7:] for path in held} == {"_pb2.py"}
    assert "tensorflow" not in requirements()
    dockerfile = (GATEWAY / "Dockerfile").read_text()
    assert "endswith('_pb2.py')" in dockerfile
    assert f"tensorflow=={requirements()['tensorflow-serving-api']}" in dockerfile
    assert dockerfile.count("--no-deps") == 2
