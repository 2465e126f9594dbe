"""Configurations, and the versions that they ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.errors import NotFoundError
from automl_serving.model_server.config import ModelConfig, read_config
from automl_serving.model_server.errors import ServingError
from automl_serving.model_server.versions import wanted_versions

MODEL = 'name: "m" base_path: "/m" model_platform: "tensorflow"'


def read(tmp_path: Path, *models: str) -> list[ModelConfig]:
    path = tmp_path / "models.config"
    path.write_text("model_config_list {" + "".join(f"config {{ {one} }}" for one in models) + "}")
    return read_config(path)


@pytest.mark.parametrize(
    ("policy", "latest", "specific"),
    [
        ("", 1, set()),
        ("model_version_policy { latest {} }", 1, set()),
        ("model_version_policy { latest { num_versions: 2 } }", 2, set()),
        ("model_version_policy { all {} }", 0, set()),
        ("model_version_policy { specific { versions: 4 versions: 7 } }", 1, {4, 7}),
    ],
)
def test_policies(tmp_path: Path, policy: str, latest: int, specific: set[int]) -> None:
    (config,) = read(tmp_path, f"{MODEL} {policy} # a comment\n")
    assert config == ModelConfig("m", Path("/m"), latest, frozenset(specific))


def test_labels(tmp_path: Path) -> None:
    (config,) = read(tmp_path, f'{MODEL} version_labels {{ key: "stable" value: 42 }}')
    assert config.labels == {"stable": 42}


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (['base_path: "/m" model_platform: "tensorflow"'], "a name"),
        (['name: "m" model_platform: "tensorflow"'], "absolute base_path"),
        (['name: "m" base_path: "m" model_platform: "tensorflow"'], "absolute base_path"),
        (['name: "m" base_path: "/m"'], "model_platform"),
        (['name: "m" base_path: "/m" model_platform: "caffe"'], "'caffe'"),
        ([MODEL, MODEL], "'m' twice"),
        ([f"{MODEL} model_version_policy {{ specific {{}} }}"], "versions in the specific"),
        (["nonsense: 1"], "nonsense"),
    ],
)
def test_what_cannot_be_served_is_told(tmp_path: Path, models: list[str], said: str) -> None:
    with pytest.raises(ServingError, match=said) as caught:
        read(tmp_path, *models)
    assert caught.value.grpc_code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("content", ["", "custom_model_config {}"])
def test_it_must_be_a_list(tmp_path: Path, content: str) -> None:
    (tmp_path / "c").write_text(content)
    with pytest.raises(ServingError, match="expected a model_config_list"):
        read_config(tmp_path / "c")


@pytest.mark.parametrize(
    ("config", "versions"),
    [
        ({}, [10]),
        ({"latest": 2}, [2, 10]),
        ({"latest": 9}, [2, 10]),
        ({"latest": 0}, [2, 10]),
        ({"specific": frozenset({2, 3})}, [2]),
    ],
)
def test_which_folders_are_versions(
    many_path: Path, config: dict[str, object], versions: list[int]
) -> None:
    found = wanted_versions(ModelConfig("many", many_path, **config))  # type: ignore[arg-type]
    assert found == {version: many_path / str(version) for version in versions}


def test_a_base_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot be read"):
        wanted_versions(ModelConfig("m", tmp_path / "nowhere"))
