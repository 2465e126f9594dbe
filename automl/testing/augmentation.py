"""The contract of an augmentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from automl.components import Augmentation
from automl.testing.expect import check_name, declared, expect

SHAPE = (6, 32, 24, 3)


def check_augmentation(augmentation: Augmentation) -> None:
    """Checks that a policy keeps shape, type and range, and depends on its seeds alone.

    Raises:
        AssertionError: With one sentence, if the contract is broken.
    """
    name = check_name(augmentation)
    params = declared(augmentation)
    prefix = name.replace("-", "_")
    stray = [key for key in params if not key.startswith(prefix)]
    expect(
        not stray,
        f"expected the hyperparameters of {name} to begin with {prefix}, found {stray}.",
    )
    layers = augmentation.layers(params, seed=0)
    augment = augmentation.augmenter(params, seed=0)
    expect(
        not (layers and augment is not None),
        f"expected {name} to work on the device or on the host, found both.",
    )
    if layers:
        _check_device(augmentation, params)
    if augment is not None:
        _check_host(name, augment)


def _check_device(augmentation: Augmentation, params: Mapping[str, Any]) -> None:
    import keras

    images = _images().astype(np.float32)

    def model(seed: int) -> Any:
        layers = augmentation.layers(params, seed)
        return keras.Sequential([keras.Input(SHAPE[1:]), *layers])

    def varied(seed: int) -> Any:
        return keras.ops.convert_to_numpy(model(seed)(images, training=True))

    found = varied(1)
    expect(
        found.shape == images.shape and found.dtype == np.float32,
        f"expected {augmentation.name} to return float32 {list(images.shape)}, found "
        f"{found.dtype} {list(found.shape)}.",
    )
    expect(
        found.min() >= -0.01 and found.max() <= 255.01,
        f"expected {augmentation.name} to stay in 0..255, found {found.min()} to {found.max()}.",
    )
    expect(
        np.array_equal(found, varied(1)),
        f"expected {augmentation.name} to repeat itself for the same seed, found a difference.",
    )
    expect(
        not np.array_equal(found, varied(2)),
        f"expected {augmentation.name} to depend on its seed, found the same images for two.",
    )
    unchanged = keras.ops.convert_to_numpy(model(1)(images, training=False))
    expect(
        np.array_equal(unchanged, images),
        f"expected {augmentation.name} to leave images alone outside training, found changes.",
    )


def _check_host(name: str, augment: Callable[[Any, int], Any]) -> None:
    images = _images()
    kept = images.copy()
    seeds = [1, 2, 3, 1, 2, 3]
    inline = [augment(images, seed) for seed in seeds]
    expect(
        all(found.shape == images.shape and found.dtype == np.uint8 for found in inline),
        f"expected {name} to return uint8 {list(images.shape)}, found "
        f"{inline[0].dtype} {list(inline[0].shape)}.",
    )
    expect(
        np.array_equal(images, kept),
        f"expected {name} to leave its input as it is, found it changed in place.",
    )
    expect(
        np.array_equal(inline[0], inline[3]),
        f"expected {name} to repeat itself for the same seed, found a difference.",
    )
    expect(
        not np.array_equal(inline[0], inline[1]),
        f"expected {name} to depend on the batch seed, found the same images for two.",
    )
    with ThreadPoolExecutor(3) as pool:
        threaded = list(pool.map(lambda seed: augment(images, seed), seeds))
    expect(
        all(np.array_equal(a, b) for a, b in zip(inline, threaded, strict=True)),
        f"expected {name} to be thread-safe, found other images when called from threads.",
    )


def _images() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Smooth random pictures that use the whole range, so that any shift shows."""
    rows, columns = np.mgrid[0 : SHAPE[1], 0 : SHAPE[2]]
    phase = np.random.default_rng(0).uniform(0, 6.28, (SHAPE[0], 1, 1, 3))
    waves = np.sin(0.2 * rows[None, :, :, None] + 0.3 * columns[None, :, :, None] + phase)
    images: np.ndarray[Any, np.dtype[np.uint8]] = np.round(127.5 + 127.5 * waves).astype(np.uint8)
    return images
