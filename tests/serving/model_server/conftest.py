"""A model with signatures of many kinds, and a model server of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest


@pytest.fixture(scope="session")
def many_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base path of a model with versions 2 and 10, and folders that are no versions."""
    import tensorflow as tf

    base = tmp_path_factory.mktemp("many")
    module = tf.Module()

    def function(**inputs: Any) -> Callable[[Any], Any]:
        specs = [tf.TensorSpec(shape, kind, name) for name, (kind, shape) in inputs.items()]
        return lambda body: tf.function(body, input_signature=specs)

    @function(x=(tf.float32, [None]))
    def half_plus_two(x: Any) -> Any:
        return {"y": x / 2 + 2}

    @function(a=(tf.int32, [None, 2]), b=(tf.float32, [None, 2]))
    def two(a: Any, b: Any) -> Any:
        a = tf.cast(a, tf.float32)
        return {"sum": a + b, "difference": a - b}

    @function(text=(tf.string, [None]))
    def text(text: Any) -> Any:
        return {"upper": tf.strings.upper(text), "copy_bytes": tf.identity(text)}

    @function(i=(tf.int64, []), f=(tf.bool, [3]), u=(tf.uint8, [None, 1]))
    def kinds(i: Any, f: Any, u: Any) -> Any:
        return {"i": i + 1, "f": tf.logical_not(f), "u": u, "h": tf.cast(u, tf.float16)}

    @function(x=(tf.float32, [None]))
    def fails(x: Any) -> Any:
        with tf.control_dependencies([tf.debugging.assert_greater(x, 0.0, "must be above 0")]):
            return {"y": tf.identity(x)}

    functions = {"half_plus_two": half_plus_two, "two": two, "text": text, "kinds": kinds}
    signatures = {
        name: one.get_concrete_function() for name, one in {**functions, "fails": fails}.items()
    }
    signatures["serving_default"] = signatures.pop("half_plus_two")
    tf.saved_model.save(module, str(base / "10"), signatures=signatures)
    for name in ("2", "latest", "-11", "1e3", ".staging-11"):
        (base / name).mkdir()
    (base / "12").write_text("a file")
    return base


@pytest.fixture(scope="session")
def many_server(start_server: Callable[..., Any], many_path: Path) -> Any:
    """A model server of the model."""
    return start_server(
        "model_server",
        "--model_name=many",
        f"--model_base_path={many_path}",
        "--port=0",
        "--rest_api_port=0",
        "--rest_api_timeout_in_ms=120000",
        "--max_request_bytes=100000",
    )


@pytest.fixture(scope="session")
def many(many_server: Any) -> Iterator[httpx.Client]:
    """Talks to its REST API."""
    url = f"http://127.0.0.1:{many_server.ready['rest_api_port']}/v1/models/"
    # The first request for a signature that OpenVINO does not run loads TensorFlow.
    with httpx.Client(base_url=url, trust_env=False, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def plus_models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """SavedModels by number, each of which adds its number; copy them."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("plus")
    for number in (1, 2, 3):

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def add(x: Any, number: int = number) -> Any:
            return {"y": x + number}

        tf.saved_model.save(tf.Module(), str(folder / str(number)), signatures=add)
    return {number: folder / str(number) for number in (1, 2, 3)}
