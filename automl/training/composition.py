"""One network made of several: their features side by side, mirrored pictures averaged in.

A configuration names its own network (`backbone`, `depth`). `fusion` may add another one, which
sees the same pictures; with `scales`, each sees them at a smaller size, too; and `mirror` averages
features with those of the mirrored picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from automl.errors import UsageError
from automl.plugins import plugin_manager

if TYPE_CHECKING:
    import keras

    from automl.components import Backbone

ALONE = "none"
"""The value of `fusion` that adds no network."""

SMALLER = 5 / 7
"""How much smaller the second size is: 160 for 224 pixels."""

STRIDE = 32
"""Sides are multiples of what most networks divide them by, so that none of it is cut off."""


@dataclass(frozen=True)
class Network:
    """A backbone at one depth.

    Attributes:
        backbone: The backbone component's name.
        depth: One of its depths.
        weights: What it begins with, `None` for random values; where a depth comes in several
            architectures, this says which.
        smaller: Whether it sees the pictures at about `SMALLER` of their side.
    """

    backbone: str
    depth: int | str
    weights: str | None
    smaller: bool = False

    def cost(self, resolution: int) -> float:
        """Returns about how many billion multiply-adds one image takes."""
        return self._component.cost(self.depth, self._side(resolution))

    def build(self, resolution: int) -> keras.Model:
        """Builds it with its weights; see `Backbone.build`."""
        built = self._component.build(self.depth, self._side(resolution), self.weights)
        return _seeing(built, resolution)

    def rebuild(self, resolution: int) -> keras.Model:
        """Builds it for weights that are loaded afterwards; see `Backbone.rebuild`."""
        built = self._component.rebuild(self.depth, self._side(resolution), self.weights)
        return _seeing(built, resolution)

    @property
    def _component(self) -> Backbone:
        return plugin_manager().backbones[self.backbone]

    def _side(self, resolution: int) -> int:
        return max(1, round(SMALLER * resolution / STRIDE)) * STRIDE if self.smaller else resolution


@dataclass(frozen=True)
class Composition:
    """What turns pictures into the features that a head is fitted on.

    Attributes:
        networks: One or more, whose features stand side by side.
        resolution: The side of their input in pixels.
        mirrored: Whether features are averaged with those of the mirrored picture.
    """

    networks: tuple[Network, ...]
    resolution: int
    mirrored: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Composition:
        """Returns what a configuration's hyperparameters ask for.

        Raises:
            UsageError: If `fusion` names no network.
        """
        weights = params.get("weights", "random")
        own = Network(
            params["backbone"], params["depth"], None if weights == "random" else str(weights)
        )
        other = params.get("fusion", ALONE)
        networks: tuple[Network, ...] = (own,)
        if other != ALONE:
            networks += (network_named(other),)
        if int(params.get("scales", 1)) > 1:
            networks += tuple(replace(network, smaller=True) for network in networks)
        return cls(networks, int(params["resolution"]), params.get("mirror") == "yes")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Composition:
        """Returns what `to_json` described."""
        networks = tuple(Network(**network) for network in values["networks"])
        return cls(networks, values["resolution"], values["mirrored"])

    def to_json(self) -> dict[str, Any]:
        """Returns a description in JSON values."""
        return asdict(self)

    @property
    def cost(self) -> float:
        """About how many billion multiply-adds one image takes."""
        once = sum(network.cost(self.resolution) for network in self.networks)
        return 2 * once if self.mirrored else once

    def includes(self, other: Composition) -> bool:
        """Says whether it does all that `other` does, at its resolution or a larger one."""
        mine = {(each.backbone, each.depth, each.smaller) for each in self.networks}
        theirs = {(each.backbone, each.depth, each.smaller) for each in other.networks}
        return (
            theirs <= mine
            and other.resolution <= self.resolution
            and other.mirrored <= self.mirrored
        )

    def rebuild(self) -> keras.Model:
        """Builds the model that `compose` makes, for weights that are loaded afterwards."""
        return compose([each.rebuild(self.resolution) for each in self.networks], self.mirrored)


def network_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the dimensions of a configuration that say which model it runs."""
    return {
        "backbone": values["backbone"],
        "depth": values["depth"],
        "resolution": values["resolution"],
        "fusion": values.get("fusion", ALONE),
        "scales": values.get("scales", 1),
        "mirror": values.get("mirror", "no"),
    }


def network_named(text: str) -> Network:
    """Returns the pretrained network that `text` names, such as `"efficientnet-lite 2"`.

    Raises:
        UsageError: If there is none.
    """
    name, _, wanted = text.strip().rpartition(" ")
    backbones = plugin_manager().backbones
    known = [
        Network(backbone.name, depth, "pretrained")
        for backbone in backbones
        if backbone.pretrained and backbone.name == name.strip()
        for depth in backbone.depths
    ]
    found = next((network for network in known if str(network.depth) == wanted), None)
    if found is None:
        raise UsageError(
            f"expected fusion to be a pretrained network with its depth, such as "
            f"'efficientnet-lite 2', or {ALONE}, found {text!r}; see `automl plugins list`."
        )
    return found


def _seeing(network: keras.Model, side: int) -> keras.Model:
    """Returns `network` for pictures of another side, which it sees resized."""
    import keras

    own = network.input_shape[1]
    if own == side:
        return network
    images = keras.Input((side, side, 3), dtype="float32")
    resized = keras.ops.image.resize(images, (own, own), interpolation="bilinear")
    return keras.Model(images, network(resized, training=False), name=f"{network.name}_smaller")


def compose(networks: Sequence[keras.Model], mirrored: bool) -> keras.Model:
    """Returns one model of `networks`, run in inference mode.

    Args:
        networks: Each from float32 `[N, side, side, 3]` in 0..255 to float32 features.
        mirrored: Whether features are averaged with those of the mirrored picture.

    Returns:
        A model from the same input to features `[N, F]`, those of the first network first. A
        network that is alone and not mirrored is returned as it is.
    """
    if len(networks) == 1 and not mirrored:
        return networks[0]
    import keras

    for number, network in enumerate(networks):
        if network.name in {before.name for before in networks[:number]}:
            network.name = f"{network.name}_{number}"  # a model wants names that differ
    images = keras.Input(networks[0].input_shape[1:], dtype="float32", name="images")
    seen = images
    if mirrored:  # in one batch, so that the model holds each network once
        seen = keras.ops.concatenate([images, images[:, :, ::-1]], axis=0)
    sides = [network(seen, training=False) for network in networks]
    features = keras.layers.Concatenate()(sides) if len(sides) > 1 else sides[0]
    if mirrored:
        both = keras.ops.reshape(features, (2, -1, features.shape[-1]))
        features = keras.ops.mean(both, axis=0)
    return keras.Model(images, features)
