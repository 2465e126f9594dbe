"""Batches of training images, shuffled and augmented on the host ahead of the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of (float32 inputs, class numbers), in a new order each epoch, repeatable by seed.

    Threads, not processes, prepare batches: decoding is done, and NumPy and imgaug release
    the interpreter's lock where it counts.
    """

    def __init__(
        self,
        inputs: NDArray[Any],
        rows: NDArray[np.int64],
        y: NDArray[np.int64],
        batch_size: int,
        seed: int,
        augmenter: Callable[[Images, int], Images] | None = None,
        views: int = 1,
        epoch: int = 0,
    ) -> None:
        """Makes the batches.

        Args:
            inputs: Arrays along the first axis: all images, and again for each further view.
            rows: Row numbers `[N]` of the images to train on.
            y: Their class numbers `[N]`.
            batch_size: Images in a batch.
            seed: 0 or more.
            augmenter: Varies a batch on the host; see `automl.components.Augmentation`.
            views: How many versions of each image `inputs` holds; an epoch takes one at random.
            epoch: The number of the first epoch.
        """
        super().__init__(workers=2 if augmenter else 1, max_queue_size=8)
        self._inputs, self._rows, self._y = inputs, rows, y
        self._size, self._seed, self._augmenter = min(batch_size, len(rows)), seed, augmenter
        self._views, self._step = views, len(inputs) // views
        self._epoch = epoch - 1
        self.on_epoch_end()

    @property
    def num_batches(self) -> int:
        """Batches in an epoch; a rest too small for a batch waits for the next epoch."""
        return len(self._rows) // self._size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        epoch, order, view = self._drawn
        chosen = order[index * self._size : (index + 1) * self._size]
        batch = self._inputs[self._rows[chosen] + self._step * view[chosen]]
        if self._augmenter is not None:
            step = epoch * self.num_batches + index
            batch = self._augmenter(batch, (self._seed * 1_000_003 + step) % 2**31)
        return batch.astype(np.float32), self._y[chosen]

    def on_epoch_end(self) -> None:
        """Draws the next epoch's order and views.

        At the end and not at the beginning of an epoch, when Keras' loader has begun already.
        """
        self._epoch += 1
        generator = np.random.default_rng((self._seed, self._epoch))
        order = generator.permutation(len(self._rows))
        view = generator.integers(self._views, size=len(self._rows))
        self._drawn = (self._epoch, order, view)
