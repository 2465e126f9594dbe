"""The contract of a head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from automl.components import EstimatorHead, FittedHead, Head, LayersHead
from automl.testing.expect import check_name, declared, expect

FEATURES = 12
CLASSES = 4


def check_head(head: Head) -> None:
    """Checks a head: that it learns, and that its layers compute what it learnt.

    Raises:
        AssertionError: With one sentence, if the contract is broken.
    """
    name = check_name(head)
    params = declared(head)
    expect(
        isinstance(head, (LayersHead, EstimatorHead)),
        f"expected {name} to derive from LayersHead or EstimatorHead, found neither.",
    )
    if isinstance(head, LayersHead):
        _check_layers_head(head, params)
    elif isinstance(head, EstimatorHead):
        _check_estimator_head(head, params)


def _check_layers_head(head: LayersHead, params: Mapping[str, Any]) -> None:
    import keras

    layers = list(head.layers(FEATURES, CLASSES, params))
    again = list(head.layers(FEATURES, CLASSES, params))
    expect(
        not {id(layer) for layer in layers} & {id(layer) for layer in again},
        f"expected {head.name}.layers to return new layers each time, found shared ones.",
    )
    model = keras.Sequential([keras.Input((FEATURES,)), *layers])
    expect(
        model.output_shape == (None, CLASSES),
        f"expected {head.name} to return logits [N, {CLASSES}], found {model.output_shape}.",
    )
    features, labels = _blobs(range(CLASSES))
    logits = keras.ops.convert_to_numpy(model(features))
    expect(
        logits.dtype == np.float32 and not np.allclose(logits.sum(axis=1), 1.0),
        f"expected {head.name} to return float32 logits, found {logits.dtype} that sum to 1; "
        f"leave out the softmax.",
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.learning_rate = 0.05
    model.fit(features, labels, epochs=20, batch_size=16, verbose=0)
    score = _accuracy(keras.ops.convert_to_numpy(model(features, training=False)), labels)
    expect(
        score >= 0.9,
        f"expected {head.name} to learn four distant groups, found accuracy {score:.2f}.",
    )


def _check_estimator_head(head: EstimatorHead, params: Mapping[str, Any]) -> None:
    path = list(head.path(params))
    expect(path, f"expected {head.name}.path to hold at least one setting, found none.")
    for present in (range(CLASSES), (0, 1, 3), (1, 2), (2,)):
        _check_fits(head, path, list(present))
    _check_pure(head, path[0])


def _check_fits(head: EstimatorHead, path: list[Mapping[str, Any]], present: list[int]) -> None:
    """Fits labels that hold the classes `present` of four."""
    what = f"{head.name} fitted on {len(present)} of {CLASSES} classes"
    features, labels = _blobs(present)
    fitted = head.fit_path(features, labels, CLASSES, path, 0)
    expect(
        len(fitted) == len(path),
        f"expected {head.name}.fit_path to return one head a setting, found {len(fitted)} "
        f"for {len(path)}.",
    )
    best = 0.0
    for each in fitted:
        logits = each.logits(features)
        expect(
            logits.shape == (len(labels), CLASSES) and np.isfinite(logits).all(),
            f"expected {what} to return finite logits [{len(labels)}, {CLASSES}], found "
            f"{list(logits.shape)} or values that are not finite.",
        )
        expect(
            set(logits.argmax(axis=1)) <= set(present),
            f"expected {what} never to choose a class it has not seen, found that it did.",
        )
        _check_layers_agree(what, each, features)
        best = max(best, _accuracy(logits, labels))
    expect(best >= 0.9, f"expected {what} to learn distant groups, found accuracy {best:.2f}.")
    alone = head.fit(features, labels, CLASSES, path[-1], 0).logits(features)
    expect(
        _accuracy(alone, labels) >= _accuracy(fitted[-1].logits(features), labels) - 0.05,
        f"expected {head.name}.fit to do as well as fit_path, found it worse.",
    )


def _check_layers_agree(what: str, fitted: FittedHead, features: Any) -> None:
    import keras

    layers = list(fitted.layers())
    model = keras.Sequential([keras.Input((features.shape[1],)), *layers])
    fitted.load(layers)
    expected = fitted.logits(features)
    found = keras.ops.convert_to_numpy(model(features, training=False))
    expect(
        found.shape == expected.shape
        and np.allclose(found, expected, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(expected).max())),
        f"expected the layers of {what} to compute its logits, found others.",
    )


def _check_pure(head: EstimatorHead, params: Mapping[str, Any]) -> None:
    features, labels = _blobs(range(CLASSES))
    kept = features.copy()
    first = head.fit(features, labels, CLASSES, params, 7).logits(features)
    second = head.fit(features, labels, CLASSES, params, 7).logits(features)
    expect(
        np.array_equal(features, kept),
        f"expected {head.name} to leave its training features as they are, found them changed.",
    )
    expect(
        np.allclose(first, second, rtol=1e-5, atol=1e-5),
        f"expected {head.name} to give the same logits for the same seed, found others.",
    )


def _blobs(present: Any) -> tuple[Any, Any]:
    """Well separated groups, one a class, unequal in size; one feature never varies."""
    rng = np.random.default_rng(0)
    centers = rng.normal(0.0, 10.0, (CLASSES, FEATURES))
    labels = np.concatenate([np.full(10 + 5 * c, c) for c in present])
    features = centers[labels] + rng.normal(0.0, 1.0, (len(labels), FEATURES))
    features[:, 0] = 3.0
    return features.astype(np.float32), labels.astype(np.int64)


def _accuracy(logits: Any, labels: Any) -> float:
    return float((logits.argmax(axis=1) == labels).mean())
