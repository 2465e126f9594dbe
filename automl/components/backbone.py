"""A network family that turns pixels into features."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import WeightsUnavailableError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Weights:
    """Pretrained weights, as far as they can be known without loading them.

    Attributes:
        name: What they were trained on, such as `"imagenet"`.
        path: The file, where it is on this machine; `None` where it would be downloaded.
        url: Where it would be downloaded from; empty where it comes with a package.
        hint: How to get it when it is not here, one clause that follows "…; ".
    """

    name: str
    path: Path | None
    url: str = ""
    hint: str = ""


class Backbone(abc.ABC):
    """A network family with its depths and resolutions.

    A backbone takes RGB pictures with values from 0 to 255 and scales them inside the
    model, so that nothing outside knows its preprocessing.

    Attributes:
        name: The name users type, lower case with hyphens.
        depths: The variants it offers, cheapest first, such as `(18, 34, 50)`.
        resolutions: The square input sides in pixels that a search tries, preferred first.
        pretrained: Whether it needs pretrained weights. `False` for networks that are
            trained from scratch by design and for transforms without weights.
        trainable: Whether it has weights that training could change.
    """

    name: str
    depths: Sequence[int | str]
    resolutions: Sequence[int]
    pretrained: bool = True
    trainable: bool = True

    def resolutions_for(self, depth: int | str) -> Sequence[int]:
        """Returns the sides in pixels that suit `depth`, preferred first."""
        return self.resolutions

    def suits(self, side: int) -> bool:
        """Says whether a search should try it, unasked, on images of about `side` pixels."""
        return True

    @abc.abstractmethod
    def cost(self, depth: int | str, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes.

        Used to order candidates and to break ties; it need not be exact.
        """

    def weights(self, depth: int | str) -> Weights | None:
        """Says which pretrained weights `depth` would use, without loading anything.

        Returns:
            `None` for a backbone that is not pretrained.
        """
        return None

    @abc.abstractmethod
    def build(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the network.

        Args:
            depth: One of `depths`.
            resolution: The side of the square input in pixels.
            weights: `"pretrained"` for those that `weights` names, a file's path for the
                user's own, or `None` for random ones (also used where the caller loads
                trained weights afterwards).

        Returns:
            A model from float32 `[N, resolution, resolution, 3]` in 0..255 to float32
            features `[N, F]`.

        Raises:
            WeightsUnavailableError: If the weights cannot be had or do not fit.
        """

    def rebuild(self, depth: int | str, resolution: int, weights: str | None) -> keras.Model:
        """Builds the network that `build` builds for the same arguments, with random values.

        For a caller that loads trained values afterwards, so that the weights it started
        from are neither read nor downloaded. Override it where the architecture depends on
        `weights`, in which case nothing but its text may be used: the file may be gone.
        """
        return self.build(depth, resolution, None)

    def blocks(self, model: keras.Model) -> Sequence[Sequence[str]]:
        """Groups the names of the model's layers into blocks, from input to output.

        Fine-tuning unfreezes whole blocks from the end. Layers that are in no block are
        never trained.
        """
        return [[layer.name for layer in model.layers]]

    def require_weights(self, depth: int | str) -> Weights:
        """Returns the weights of `depth` if they are on this machine.

        Raises:
            WeightsUnavailableError: If they are not, with what to do about it.
        """
        found = self.weights(depth)
        if found is None or found.path is None:
            hint = found.hint if found and found.hint else "name a file with --set weights=FILE"
            raise WeightsUnavailableError(
                f"expected pretrained weights for {self.name} {depth} on this machine, "
                f"found none; {hint}."
            )
        return found
