"""Exports a classifier, proves the SavedModel and scores the held-out images with it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import ExportError, ImageError
from automl.export.bfloat16 import compare_bfloat16
from automl.export.reference import patterns, write_reference
from automl.export.saved_model import write_saved_model
from automl.images import encode_png, probe
from automl.training.classifier import load_classifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Pixels = NDArray[np.uint8]

LARGEST_DIFFERENCE = 1e-4
"""The most that a probability may differ between Keras and the SavedModel."""

REFERENCE = "reference.npz"
"""The trained model's own logits for some real images, written where it was trained."""

PREDICTIONS = "test_probabilities.npy"
BATCH = 32


def save_reference(folder: Path, rows: NDArray[np.int64], logits: Floats) -> None:
    """Keeps logits `[N, C]` of the images `rows` beside the classifier, for the proof."""
    np.savez(folder / REFERENCE, rows=rows, logits=logits)


def export(
    folder: Path,
    staged: Path,
    pixels_path: Path,
    originals: Mapping[str, str],
    test_rows: Sequence[int],
) -> dict[str, Any]:
    """Writes the classifier in `folder` as a SavedModel to `staged`, and proves it.

    The held-out images are scored through the SavedModel; their probabilities are written to
    `folder`.

    Args:
        folder: Where `Classifier.save` and `save_reference` wrote.
        staged: The SavedModel's folder; it must not exist.
        pixels_path: The pixel cache's file at the model's resolution.
        originals: Image files by row number, for the reference rows.
        test_rows: The held-out images' row numbers.

    Returns:
        The parity figures: `images`, the largest differences in probability of
        `serving_default` and `encoded`, `camera_jpegs` with their agreement, and `bfloat16`
        where this processor has it (see `compare_bfloat16`).

    Raises:
        ExportError: If a difference is larger than `LARGEST_DIFFERENCE`.
    """
    classifier = load_classifier(folder)
    write_saved_model(classifier.model, classifier.temperature, staged)
    served = _Served(staged)
    pixels = np.load(pixels_path, mmap_mode="r")
    with np.load(folder / REFERENCE) as reference:
        rows, trained = reference["rows"], reference["logits"]
    sample = np.ascontiguousarray(pixels[rows])
    expected = _softmax(trained / classifier.temperature)
    direct = served.probabilities(sample)
    encoded = served.encoded_probabilities([encode_png(image) for image in sample])
    differences = {
        "serving_default": _difference(expected, direct),
        "encoded": _difference(direct, encoded),
    }
    for signature, difference in differences.items():
        if not difference <= LARGEST_DIFFERENCE:
            raise ExportError(
                f"expected the exported {signature} to agree with the trained model to "
                f"{LARGEST_DIFFERENCE:g}, found a difference of {difference:.2g}; search again, "
                f"and report it if it stays."
            )
    write_reference(staged, served.probabilities(patterns(*sample.shape[1:3])))
    buffer = io.BytesIO()  # `np.save` to a file overlooks a full disk
    np.save(buffer, _in_batches(served, pixels, np.asarray(test_rows, np.int64)))
    (folder / PREDICTIONS).write_bytes(buffer.getbuffer())
    cameras = _camera_agreement(served, rows, direct, originals)
    found = {"images": len(rows), **differences, "camera_jpegs": cameras}
    rounded = compare_bfloat16(staged, sample, direct)
    return found if rounded is None else {**found, "bfloat16": rounded}


class _Served:
    """The SavedModel as TensorFlow serves it."""

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        self._tf = tf
        self._model = tf.saved_model.load(str(path))

    def probabilities(self, images: Pixels) -> Floats:
        signature = self._model.signatures["serving_default"]
        return signature(images=self._tf.constant(images))["probabilities"].numpy()  # type: ignore[no-any-return]

    def encoded_probabilities(self, encoded: Sequence[bytes]) -> Floats:
        signature = self._model.signatures["encoded"]
        answer = signature(encoded_images=self._tf.constant(list(encoded)))
        return answer["probabilities"].numpy()  # type: ignore[no-any-return]


def _in_batches(served: _Served, pixels: Pixels, rows: NDArray[np.int64]) -> Floats:
    parts = [
        served.probabilities(np.ascontiguousarray(pixels[rows[start : start + BATCH]]))
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _camera_agreement(
    served: _Served, rows: NDArray[np.int64], direct: Floats, originals: Mapping[str, str]
) -> dict[str, Any]:
    """Compares `encoded`, which decodes in the graph, with our decoder on the files themselves."""
    files, positions = [], []
    for position, row in enumerate(rows):
        path = originals.get(str(row))
        try:
            if path and probe(path).format in ("JPEG", "PNG"):
                files.append(Path(path).read_bytes())
                positions.append(position)
        except (ImageError, OSError):
            continue
    if not files:
        return {"images": 0}
    try:
        answers = np.concatenate([served.encoded_probabilities([data]) for data in files])
    except Exception as error:  # TensorFlow's decoder reads fewer kinds of JPEG than ours
        return {"images": 0, "error": str(error).splitlines()[0][:200]}
    ours = direct[positions]
    return {
        "images": len(files),
        "same_class": float(np.mean(answers.argmax(1) == ours.argmax(1))),
        "largest_difference": float(np.abs(answers - ours).max()),
    }


def _difference(first: Floats, second: Floats) -> float:
    return float(np.abs(first - second).max())


def _softmax(logits: Floats) -> Floats:
    from scipy.special import softmax

    return softmax(logits.astype(np.float64), axis=1)  # type: ignore[no-any-return]
