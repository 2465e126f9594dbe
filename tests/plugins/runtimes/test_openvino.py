"""The OpenVINO runtime beside TensorFlow, on real SavedModels and real networks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from automl.errors import ExportError
from automl.export.saved_model import write_saved_model
from automl.images import encode_png
from automl.manifest import MANIFEST
from automl.model import Model
from automl.plugins import load_runtime, plugin_manager
from automl_plugins.runtimes.openvino_compiling import convert
from automl_plugins.runtimes.signatures import signature_defs


@pytest.fixture(scope="module")
def loaded(colour_model: Model) -> Any:
    return load_runtime("openvino").load(colour_model.path)


def test_it_offers_every_signature(loaded: Any) -> None:
    assert set(loaded.signatures) == {"serving_default", "encoded"}
    images = loaded.signatures["serving_default"].inputs["images"]
    assert [dim.size for dim in images.tensor_shape.dim] == [-1, 16, 24, 3]


def test_tensorflow_runs_the_other_signatures(loaded: Any, colour_images: dict[str, Path]) -> None:
    encoded = np.array([path.read_bytes() for path in colour_images.values()], object)
    answers = loaded.predict("encoded", {"encoded_images": encoded})
    assert answers["probabilities"].argmax(axis=1).tolist() == [0, 1, 2]


def test_models_loaded_later_are_ready_for_what_was_asked_for(
    colour_model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    runtime = load_runtime("openvino")
    images = np.array([encode_png(np.zeros((16, 24, 3), np.uint8))], object)
    first = runtime.load(colour_model.path)
    assert caplog.messages == []
    first.predict("encoded", {"encoded_images": images})
    first.predict("encoded", {"encoded_images": images})
    assert len(caplog.messages) == 1
    second = runtime.load(colour_model.path)
    assert len(caplog.messages) == 2
    second.predict("encoded", {"encoded_images": images})
    assert len(caplog.messages) == 2


def test_it_needs_no_tensorflow_and_reports_to_nobody(colour_model: Model) -> None:
    code = """if True:
        import os
        import sys
        from pathlib import Path
        import numpy as np
        from automl.plugins import load_runtime
        os.register_at_fork(before=lambda: os._exit(1))
        model = load_runtime("openvino").load(Path(sys.argv[1]))
        model.predict("serving_default", {"images": np.zeros((2, 16, 24, 3), np.uint8)})
        assert not {"tensorflow", "keras", "openvino_telemetry.main"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code, colour_model.path], check=True, timeout=60)


@pytest.mark.parametrize("load", ["load", "load_beside"])
def test_a_process_that_has_loaded_models_is_interrupted_as_any_other(
    colour_model: Model, load: str
) -> None:
    code = """if True:
        import gc
        import os
        import signal
        import sys
        from pathlib import Path
        from automl.plugins import load_runtime
        signal.signal(signal.SIGINT, signal.default_int_handler)  # may be ignored from the start
        runtime = load_runtime("openvino")
        models = [getattr(runtime, sys.argv[2])(Path(sys.argv[1])) for _ in range(2)]
        while models:
            models.pop(0).close()
            gc.collect()
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            print("interrupted")
    """
    command = [sys.executable, "-c", code, colour_model.path, load]
    ended = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "interrupted\n")


@pytest.mark.parametrize("load", ["load", "load_beside"])
def test_a_model_that_it_cannot_convert_is_tensorflows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, load: str
) -> None:
    import tensorflow as tf

    upper = tf.function(
        lambda text: {"upper": tf.strings.upper(text)},
        input_signature=[tf.TensorSpec([None], tf.string, "text")],
    )
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=upper)
    loaded = getattr(load_runtime("openvino"), load)(tmp_path, "bfloat16")
    answers = loaded.predict("serving_default", {"text": np.array([b"a"], object)})
    assert answers["upper"].tolist() == [b"A"]
    assert loaded.precision == "float32"
    (record,) = (record for record in caplog.records if record.name.startswith("automl"))
    assert "StringUpper" in record.message
    assert "\n" not in record.message


def test_it_agrees_with_tensorflow(loaded: Any, colour_model: Model) -> None:
    images = np.random.default_rng(0).integers(0, 256, (33, 16, 24, 3), dtype=np.uint8)
    wanted = load_runtime("tensorflow").load(colour_model.path)
    answers = [m.predict("serving_default", {"images": images}) for m in (loaded, wanted)]
    assert answers[0].keys() == answers[1].keys() == {"logits", "probabilities"}
    for name in answers[0]:
        np.testing.assert_allclose(answers[0][name], answers[1][name], atol=1e-5)


@pytest.fixture(scope="module", params=["more between the layers", "more weights"])
def network(
    request: pytest.FixtureRequest, colour_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An export whose rows are best computed one by one, and one whose rows together."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((16, 24, 3)), keras.layers.Rescaling(1 / 255)]
    if request.param == "more between the layers":
        layers += [keras.layers.Conv2D(8, 3), keras.layers.GlobalAveragePooling2D()]
    else:
        layers += [keras.layers.Flatten(), keras.layers.Dense(64)]
    path = tmp_path_factory.mktemp("network") / "1"
    write_saved_model(keras.Sequential([*layers, keras.layers.Dense(3)]), 1.5, path)
    shutil.copy(colour_model.path / MANIFEST, path / MANIFEST)
    compiled = convert(path, signature_defs(path), "float32")
    assert ("rows" in compiled) == (request.param == "more weights")
    return path


@pytest.mark.parametrize("load", ["load", "load_beside"])
def test_any_number_of_rows_is_answered_in_order_as_tensorflow_does(
    network: Path, load: str
) -> None:
    wanted = load_runtime("tensorflow").load(network)
    loaded = getattr(load_runtime("openvino"), load)(network)
    loaded.warm_up("serving_default", {"images": np.zeros((2, 16, 24, 3), np.uint8)})
    images = np.random.default_rng(0).integers(0, 256, (33, 16, 24, 3), dtype=np.uint8)

    def both(rows: int) -> list[dict[str, Any]]:
        inputs = {"images": images[:rows]}
        return [model.predict("serving_default", inputs) for model in (loaded, wanted)]

    with ThreadPoolExecutor(4) as pool:
        for answers in [*map(both, (1, 2, 33)), *pool.map(both, (1, 2, 3, 5, 33) * 3)]:
            assert answers[0].keys() == answers[1].keys() == {"logits", "probabilities"}
            for name in answers[0]:
                assert answers[0][name].dtype == answers[1][name].dtype
                np.testing.assert_allclose(answers[0][name], answers[1][name], atol=1e-5)
    none = loaded.predict("serving_default", {"images": images[:0]})
    assert {name: (a.shape, a.dtype) for name, a in none.items()} == {
        "logits": ((0, 3), np.float32),
        "probabilities": ((0, 3), np.float32),
    }


def test_a_model_without_inputs_is_run_as_well(tmp_path: Path) -> None:
    import tensorflow as tf

    constant = tf.function(
        lambda: {"values": tf.reshape(tf.range(3.0), [1, 3])}, input_signature=[]
    )
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=constant)
    answers = load_runtime("openvino").load(tmp_path).predict("serving_default", {})
    assert answers["values"].tolist() == [[0, 1, 2]]


def test_rows_of_another_model_which_may_depend_on_one_another_stay_together(
    tmp_path: Path,
) -> None:
    import tensorflow as tf

    shares = tf.function(
        lambda values: {"shares": values / tf.reduce_sum(values, axis=0)},
        input_signature=[tf.TensorSpec([None, 2], tf.float32, "values")],
    )
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=shares)
    loaded = load_runtime("openvino").load(tmp_path)
    for rows in (1, 2, 4):
        answers = loaded.predict("serving_default", {"values": np.ones((rows, 2), np.float32)})
        np.testing.assert_allclose(answers["shares"], np.full((rows, 2), 1 / rows))


@pytest.mark.slow
def test_it_agrees_with_tensorflow_on_real_networks(tmp_path: Path) -> None:
    import keras
    from sklearn.datasets import load_sample_images

    network = plugin_manager().backbones["efficientnet-lite"].build(0, 224, "pretrained")
    keras.utils.set_random_seed(0)
    logits = keras.layers.Dense(10)(network.output)
    write_saved_model(keras.Model(network.input, logits), 1.5, tmp_path / "1")
    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    images = np.stack([np.asarray(p.resize((224, 224)), np.uint8) for p in photos for _ in "12"])
    images[1::2] = images[1::2, :, ::-1]
    answers = [
        load_runtime(name).load(tmp_path / "1").predict("serving_default", {"images": images})
        for name in ("openvino", "tensorflow")
    ]
    for name in ("logits", "probabilities"):
        assert np.abs(answers[0][name] - answers[1][name]).max() <= 1e-3


@pytest.mark.parametrize("rows", [0, 1, 8])
def test_it_warms_up_with_any_number_of_rows(loaded: Any, rows: int) -> None:
    loaded.warm_up("serving_default", {"images": np.zeros((rows, 16, 24, 3), np.uint8)})


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_threads_do_not_mix_their_answers(loaded: Any, rows: int) -> None:
    def logits(value: int) -> list[float]:
        images = np.full((rows, 16, 24, 3), value, np.uint8)
        found = loaded.predict("serving_default", {"images": images})["logits"][:, 0]
        return [float(logit) for logit in found]

    values = list(range(0, 256, 4))
    with ThreadPoolExecutor(8) as pool:
        for value, found in zip(values, pool.map(logits, values), strict=True):
            assert found == pytest.approx([value / 32] * rows)


@pytest.mark.skipif(sys.platform != "linux", reason="asks how a process is scheduled")
def test_a_model_loaded_beside_others_is_compiled_in_a_process_that_yields_to_them(
    loaded: Any, colour_model: Model
) -> None:
    policies = set()
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load_runtime("openvino").load_beside, colour_model.path)
        while not loading.done():
            for child in psutil.Process().children():
                with contextlib.suppress(ProcessLookupError):
                    policies.add(os.sched_getscheduler(child.pid))
            time.sleep(0.01)
    assert os.SCHED_IDLE in policies
    images = {"images": np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), dtype=np.uint8)}
    answers = [model.predict("serving_default", images) for model in (loaded, loading.result())]
    np.testing.assert_array_equal(answers[0]["logits"], answers[1]["logits"])
    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_OTHER}


def test_the_process_that_compiles_ends_with_the_one_that_asked(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "saved_model.pb")  # which it would wait to read for ever
    program = (
        "import sys; from automl_plugins.runtimes.openvino_apart import main; main(*sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path, "float32"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.communicate(timeout=30)[0] == b""


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/false"])
def test_without_another_process_it_is_compiled_here(
    colour_model: Model, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    beside = load_runtime("openvino").load_beside(colour_model.path)
    images = {"images": np.zeros((1, 16, 24, 3), np.uint8)}
    assert beside.predict("serving_default", images)["probabilities"].shape == (1, 3)


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_what_is_no_model_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ExportError, match="expected a SavedModel"):
        load_runtime("openvino").load(tmp_path)


@pytest.mark.parametrize("side", [64, 224])  # of which the larger is computed row by row
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.2)])
def test_a_frozen_backbone_gives_the_features_that_keras_gives(
    precision: Any, tolerance: float, side: int
) -> None:
    network = plugin_manager().backbones["efficientnet-lite"].build(0, side, "pretrained")
    generator = np.random.default_rng(0)
    shapes = [(rows, side, side, 3) for rows in (8, 8, 1, 3)]
    batches = [generator.uniform(0, 255, shape).astype(np.float32) for shape in shapes]
    forward = load_runtime("openvino").compile(network, precision)
    assert forward is not None
    for found, batch in zip(forward(batches), batches, strict=True):
        wanted = network.predict_on_batch(batch)
        assert found.shape == wanted.shape
        assert np.linalg.norm(found - wanted) <= tolerance * np.linalg.norm(wanted)
