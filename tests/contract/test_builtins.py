"""Every built-in component passes the public contract checks, from one table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from automl import testing
from automl.components import Backbone
from automl.plugins import BUILTIN_PLUGINS, plugin_manager

PLUGINS = plugin_manager()


def heavy(component: Any) -> bool:
    """Networks of real size take seconds to build, and Ray some to start."""
    if isinstance(component, Backbone):
        return component.pretrained
    return component.name == "ray"


def make_folder(place: Path) -> str:
    from PIL import Image

    for label, value in (("dark", 10), ("light", 240)):
        (place / label).mkdir()
        for index in range(2):
            Image.new("RGB", (8, 8), (value, value, index)).save(place / label / f"{index}.png")
    return str(place)


def make_split_folder(place: Path) -> str:
    for split in ("train", "test"):
        (place / split).mkdir()
        make_folder(place / split)
    return str(place)


def make_table(place: Path, name: str) -> str:
    from automl import Dataset

    make_folder(place)
    path = place / name
    table = Dataset.from_folder(place).table.select(["path", "label"])
    if name.endswith(".parquet"):
        import pyarrow.parquet as pq

        pq.write_table(table, path)
        return str(path)
    rows = table.to_pylist()
    if name.endswith(".csv"):
        path.write_text("path,label\n" + "".join(f"{r['path']},{r['label']}\n" for r in rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def make_archive(place: Path) -> str:
    import shutil

    (place / "photos").mkdir()
    make_folder(place / "photos")
    return shutil.make_archive(str(place / "photos"), "zip", place, "photos")


def make_idx(place: Path) -> str:
    (place / "train-images-idx3-ubyte").write_bytes(
        bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3]) + bytes(range(18))
    )
    (place / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    return str(place)


def make_query_file(place: Path) -> str:
    (place / "photos").mkdir()
    make_folder(place / "photos")
    path = place / "photos.json"
    path.write_text(json.dumps({"dark": ["photos/dark", 7], "light": ["photos/light/0.png"]}))
    return str(path)


LOCATIONS: dict[str, Callable[[Path], str]] = {
    "folder": make_folder,
    "split-folder": make_split_folder,
    "csv": lambda place: make_table(place, "photos.csv"),
    "jsonl": lambda place: make_table(place, "photos.jsonl"),
    "parquet": lambda place: make_table(place, "photos.parquet"),
    "archive": make_archive,
    "idx": make_idx,
    "query": make_query_file,
}
"""For each image source, what makes a small place of its kind."""


def check_source(source: Any, place: Path) -> None:
    testing.check_image_source(source, LOCATIONS[source.name](place))


def check_runtime(runtime: Any, place: Path) -> None:
    import keras

    from automl.export.saved_model import write_saved_model

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Rescaling(1 / 255))
    model.add(keras.layers.Dense(3))
    write_saved_model(model, 1.5, place / "1")
    testing.check_runtime(runtime, place / "1")


def check_observer(observer: Any, place: Path) -> None:
    if observer.name == "mlflow":
        pytest.importorskip("mlflow", reason="MLflow is not installed: pip install -e '.[mlflow]'")
    testing.check_observer(observer)


def check_compute(compute: Any, place: Path) -> None:
    if compute.name == "ray":
        pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[ray]'")
    testing.check_compute(compute)


CHECKS: dict[str, Callable[[Any, Path], None]] = {
    "automl_image_sources": check_source,
    "automl_backbones": lambda component, place: testing.check_backbone(component),
    "automl_augmentations": lambda component, place: testing.check_augmentation(component),
    "automl_heads": lambda component, place: testing.check_head(component),
    "automl_strategies": lambda component, place: testing.check_strategy(component),
    "automl_compute": check_compute,
    "automl_runtimes": check_runtime,
    "automl_observers": check_observer,
}


def table() -> Iterator[Any]:
    for hook, check in CHECKS.items():
        for component in PLUGINS.registries[hook]:
            marks = [pytest.mark.slow] if heavy(component) else []
            name = f"{PLUGINS.registries[hook].kind}:{component.name}"
            yield pytest.param(component, check, marks=marks, id=name)


@pytest.mark.parametrize(("component", "check"), list(table()))
def test_component_keeps_its_contract(
    component: Any, check: Callable[[Any, Path], None], tmp_path: Path
) -> None:
    check(component, tmp_path)


@pytest.mark.parametrize("module", BUILTIN_PLUGINS)
def test_plugin_registers_and_imports_no_framework(module: str) -> None:
    testing.check_plugin(module)
