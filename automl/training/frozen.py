"""A composition's frozen features, each network's kept by itself so that others can use them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.plugins import plugin_manager
from automl.training.composition import Composition, compose
from automl.training.data import TrainingData
from automl.training.features import Features, compute_features, features_key
from automl.training.forward import forward
from automl.training.precision import building_in
from automl.training.views import mirrored, plain, variations

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from automl.components import Precision
    from automl.training.views import View

    Floats = NDArray[np.float32]

POLICY = "flip-crop"
"""The augmentation that makes the views."""


class FrozenNetworks:
    """A composition's networks, built when they are needed, and their features."""

    def __init__(
        self,
        composition: Composition,
        data: TrainingData,
        count: Callable[[int], Callable[[int], None]],
        precision: Precision = "float32",
    ) -> None:
        """Builds nothing yet.

        Args:
            composition: Which networks.
            data: The images.
            count: Returns, for a number of images in all, what is called with those done.
            precision: In which the networks compute.
        """
        self._composition, self._data, self._count = composition, data, count
        self._precision = precision
        self._built: dict[int, keras.Model] = {}
        self._composed: keras.Model | None = None

    @property
    def model(self) -> keras.Model:
        """All networks as one model, from pixels to features."""
        if self._composed is None:
            numbers = range(len(self._composition.networks))
            self._composed = compose(
                [self._network(number) for number in numbers], self._composition.mirrored
            )
        return self._composed

    def path(self, number: int = 0) -> Path:
        """Returns the cache file of one network's features of the images as they are."""
        data, network = self._data, self._composition.networks[number]
        backbone = plugin_manager().backbones[network.backbone]
        weights = network.weights or "random"
        key = features_key(
            data.pixels_key,
            data.rows,
            backbone,
            network.depth,
            weights,
            self._precision,
            network.smaller,
        )
        return data.cache.features / f"{key}.npy"

    def features(self, views: int = 1) -> Features:
        """Returns features of the training images, and of augmented views of them.

        Args:
            views: How many versions of an image a head is fitted on, the image itself included.
        """
        numbers = range(len(self._composition.networks))
        plainly = [self._features(number, 1) for number in numbers]
        varied = [self._features(number, views) for number in numbers] if views > 1 else []
        return Features(
            _side_by_side([each.values for each in plainly]),
            sum(each.seconds for each in (*plainly, *varied)),
            _side_by_side([each.values for each in varied]) if varied else None,
        )

    def work(self, number: int = 0, views: int = 1) -> float:
        """Returns the billion multiply-adds of a network on `views` of each training image."""
        each = self._composition.networks[number].cost(self._composition.resolution)
        return views * each * len(self._data.rows)

    def _network(self, number: int) -> keras.Model:
        if number not in self._built:
            import keras

            keras.utils.set_random_seed(self._data.seed)
            network = self._composition.networks[number]
            with building_in(self._precision):
                self._built[number] = network.build(self._composition.resolution)
        return self._built[number]

    def _features(self, number: int, views: int) -> Features:
        """Returns one network's features: of the images if `views` is 1, else of the others."""
        found = self._pass(number, views, mirror=False)
        if not self._composition.mirrored:
            return found
        mirror = self._pass(number, views, mirror=True)
        average: Floats = (found.values + mirror.values) / np.float32(2)
        return Features(average, found.seconds + mirror.seconds)

    def _pass(self, number: int, views: int, mirror: bool) -> Features:
        data, path = self._data, self.path(number)
        seen: Sequence[View] = [plain]
        if views > 1:
            policy = plugin_manager().augmentations[POLICY]
            seen = variations(policy, {}, data.seed, views)[1:]
        if views > 1 or mirror:
            content = json.dumps([POLICY if views > 1 else None, data.seed, views, mirror])
            tag = hashlib.sha256(content.encode()).hexdigest()[:16]
            path = path.with_name(f"{path.stem}-{tag}.npy")
        return compute_features(
            lambda: forward(self._network(number), self.work(number, len(seen)), self._precision),
            data.pixels,
            data.rows,
            data.cache,
            path,
            self._count(len(seen) * len(data.rows)),
            [mirrored(view) for view in seen] if mirror else seen,
        )


def _side_by_side(values: Sequence[Floats]) -> Floats:
    return values[0] if len(values) == 1 else np.concatenate(values, axis=1)
