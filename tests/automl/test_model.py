"""A model version predicts pictures in every form, and measures itself on labelled ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from automl import Dataset, load_model
from automl.components import ImageRecord
from automl.errors import DataError, ImageError, UsageError
from automl.images import decode
from automl.registry import Model


def test_predict_says_label_probability_and_scores(
    colour_model: Model, colour_images: dict[str, Path]
) -> None:
    for label, path in colour_images.items():
        (prediction,) = colour_model.predict(path)
        assert prediction["label"] == label
        assert next(iter(prediction["scores"])) == label
        assert set(prediction["scores"]) == set(colour_model.labels)
    # Logits 250/32 and twice 20/32, over the temperature of 2.
    top = np.exp(250 / 64) / (np.exp(250 / 64) + 2 * np.exp(20 / 64))
    assert prediction["probability"] == pytest.approx(top, abs=1e-5)
    assert prediction["scores"][label] == prediction["probability"]


def test_predict_takes_every_form_and_keeps_the_order(
    colour_model: Model, colour_images: dict[str, Path]
) -> None:
    red, green, blue = colour_images.values()
    array = decode(blue)
    mixed = [str(red), green.read_bytes(), array, decode(red, (16, 24))]
    labels = [p["label"] for p in colour_model.predict(mixed, top_k=1)]
    assert labels == ["rot", "grün/緑", "sky blue", "rot"]
    assert [p["label"] for p in colour_model.predict(array)] == ["sky blue"]
    assert [p["label"] for p in colour_model.predict(np.stack([array] * 70))] == ["sky blue"] * 70
    assert colour_model.predict([]) == []
    assert len(colour_model.predict(red, top_k=2)[0]["scores"]) == 2


def test_what_cannot_be_predicted_is_one_sentence(colour_model: Model, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        colour_model.predict(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="none of these"):
        colour_model.predict(b"no image")
    with pytest.raises(UsageError, match="found a int"):
        colour_model.predict([5])  # type: ignore[list-item]
    with pytest.raises(UsageError, match=r"found float64 \[4, 4, 3\]"):
        colour_model.predict(np.zeros((4, 4, 3)))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="found 0"):
        colour_model.predict(b"", top_k=0)
    with pytest.raises(UsageError, match=r"uint8 \[N, 16, 24, 3\], found uint8 \[1, 8, 8, 3\]"):
        colour_model.probabilities(np.zeros((1, 8, 8, 3), np.uint8))


def test_probabilities_do_not_depend_on_the_batch_size(colour_model: Model) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), dtype=np.uint8)
    whole = colour_model.probabilities(pixels)
    assert whole.dtype == np.float32
    assert whole.shape == (5, 3)
    np.testing.assert_allclose(colour_model.probabilities(pixels, batch_size=2), whole, atol=1e-6)
    assert colour_model.probabilities(pixels[:0]).shape == (0, 3)


def test_evaluate_matches_classes_by_name(
    colour_model: Model, colour_images: dict[str, Path]
) -> None:
    red, green, blue = colour_images.values()
    # Its classes lie in another order than the model's, one is missing, and one is wrong.
    rows = [(blue, "sky blue"), (blue, "rot"), (red, "rot"), (blue, "sky blue")]
    dataset = Dataset.from_records(ImageRecord(path, label) for path, label in rows)
    evaluation = colour_model.evaluate(dataset)
    assert evaluation.accuracy == 0.75
    assert evaluation.balanced_accuracy == 0.75
    assert tuple(evaluation.labels) == colour_model.labels
    unknown = Dataset.from_records([ImageRecord(green, "grün/緑"), ImageRecord(green, "gelb")])
    with pytest.raises(DataError, match="found gelb"):
        colour_model.evaluate(unknown)


def test_evaluate_leaves_out_what_it_cannot_read_and_says_so(
    colour_model: Model,
    colour_images: dict[str, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "Thumbs.db").write_bytes(b"no picture")
    rows = [tmp_path / "Thumbs.db", colour_images["rot"]]
    dataset = Dataset.from_records(ImageRecord(path, "rot") for path in rows)
    evaluation = colour_model.evaluate(dataset)
    assert evaluation.test_images == 1
    assert evaluation.accuracy == 1
    assert "Thumbs.db" in caplog.text
    with pytest.raises(DataError, match="found none"):
        colour_model.evaluate(dataset.select([0]))


def test_an_exported_copy_predicts_the_same(
    colour_model: Model, colour_images: dict[str, Path], tmp_path: Path
) -> None:
    copy = load_model(colour_model.export(tmp_path / "copy"))
    images = list(colour_images.values())
    assert copy.predict(images) == colour_model.predict(images)
