"""The search space: Keras Tuner hyperparameters assembled from the installed plugins.

It is declared without building a model. Dimensions are nested, so that a depth belongs to
its backbone and a learning rate to what is trained with it; a dimension keeps one name
(`depth`, `lr`) wherever it occurs, which is the name that `--set` pins.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner

from automl.components import Backbone, LayersHead
from automl.errors import UsageError
from automl.plugins import PluginManager
from automl.training.composition import ALONE
from automl.training.frozen import POLICY
from automl.training.schedules import SCHEDULES
from automl.tuning.candidates import Candidate
from automl.tuning.settings import with_steps

UNFREEZE = (0.0, 0.25, 0.5, 1.0)
"""Shares of a backbone's blocks, from the end, that are trained; 0 keeps it frozen."""


MEANS_TUNING = frozenset({"lr", "schedule", "epochs", "optimizer", "augmentation"})
"""Dimensions that say how to fine-tune: whoever pins one does not want a frozen network."""

PLAIN = {"fusion": ALONE, "scales": "1", "views": "1", "mirror": "no"}
"""Dimensions of frozen networks with the values that add nothing: whoever pins another one wants
a frozen network."""

VIEWS = (1, 5)
"""How many versions of each training image a head is fitted on, the image itself included."""

SCALES = (1, 2)
"""At how many sizes a frozen network sees a picture."""

# Epochs to choose from, and (least, most, default) peak rates by optimizer.
_Training = tuple[Sequence[int], Mapping[str, tuple[float, float, float]]]
FINE_TUNING: _Training = (
    [15, 8, 5, 3, 2, 30],
    {"adamw": (1e-5, 3e-3, 3e-4), "sgd": (1e-3, 1e-1, 1e-2)},
)
SCRATCH: _Training = ([15, 8, 3, 30, 60], {"adamw": (3e-4, 1e-2, 3e-3), "sgd": (1e-2, 0.5, 0.1)})
PROBING: _Training = ([50, 20, 100], {"adamw": (1e-4, 3e-2, 1e-3), "sgd": (1e-3, 0.3, 1e-2)})


class PinnedHyperParameters(keras_tuner.HyperParameters):  # type: ignore[misc]
    """Hyperparameters in which the user has pinned some dimensions.

    A pinned dimension is declared with the one value, wherever it occurs, whatever values
    the declaration offers.
    """

    def __init__(self, pins: Mapping[str, str]) -> None:
        super().__init__()
        self.pins = dict(pins)
        self._used: set[str] = set()

    @property
    def unused_pins(self) -> set[str]:
        """Pins that no declared dimension has taken up."""
        return set(self.pins) - self._used

    def Choice(self, name: str, values: Sequence[Any], **kwargs: Any) -> Any:  # noqa: N802
        """Declares a choice, or the pinned one."""
        if name not in self.pins:
            return super().Choice(name, list(values), **kwargs)
        return self._pin(name, _one_of(name, values, self.pins[name]))

    def Int(self, name: str, min_value: int, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Declares an integer range, or the pinned value."""
        if name not in self.pins:
            return super().Int(name, min_value, *args, **kwargs)
        return self._pin(name, _number(name, self.pins[name], int, zero=min_value <= 0))

    def Float(self, name: str, min_value: float, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Declares a range, or the pinned value."""
        if name not in self.pins:
            return super().Float(name, min_value, *args, **kwargs)
        return self._pin(name, _number(name, self.pins[name], float, zero=min_value <= 0))

    def Boolean(self, name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Declares yes or no, or the pinned one."""
        if name not in self.pins:
            return super().Boolean(name, *args, **kwargs)
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if self.pins[name].lower() not in words:
            raise UsageError(f"expected {name}=true or {name}=false, found {self.pins[name]!r}.")
        return self._pin(name, words[self.pins[name].lower()])

    def Fixed(self, name: str, value: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Declares a value that only a pin changes."""
        if name not in self.pins:
            return super().Fixed(name, value, **kwargs)
        return self._pin(name, self.pins[name])

    def copy(self) -> PinnedHyperParameters:
        """Returns a copy of this class; Keras Tuner's own would be of the base class."""
        base = super().copy()
        made = PinnedHyperParameters(self.pins)
        made._hps, made._space, made.values = base._hps, base._space, base.values
        return made

    def ensure_active_values(self) -> None:
        """Drops values of inactive dimensions and gives missing ones their default.

        Keras Tuner's own goes declaration by declaration, so that an inactive `depth` takes
        away the value that the active one of another backbone has set, and draws what is
        missing without a seed.
        """
        active = {hp.name: hp for hp in self.space if self.is_active(hp)}
        for name in [name for name in self.values if name not in active]:
            del self.values[name]
        for name, hp in active.items():
            self.values.setdefault(name, hp.default)

    def _exists(self, name: str, conditions: Any = None) -> bool:
        # A scope may depend on a dimension declared in an outer scope; Keras Tuner's own check
        # wants it in the very same one.
        if conditions is None:
            return name in self._hps
        return bool(super()._exists(name, conditions))

    def _pin(self, name: str, value: Any) -> Any:
        self._used.add(name)
        return super().Fixed(name, value)


def build_space(
    manager: PluginManager, candidates: Sequence[Candidate], pins: Mapping[str, str], side: int
) -> keras_tuner.HyperParameters:
    """Declares every dimension.

    Args:
        manager: The plugins.
        candidates: Backbones and depths that can be had; see `automl.tuning.candidates`.
        pins: Values by dimension, as the user wrote them.
        side: The median of the images' shorter sides, in pixels.

    Raises:
        UsageError: If a pin names no dimension, or a value that does not exist.
    """
    hp = PinnedHyperParameters(with_steps(pins))
    hp.Choice("head", [head.name for head in manager.heads])
    for head in manager.heads:
        with hp.conditional_scope("head", [head.name]):
            head.declare(hp)
    if hp.Choice("share", [1.0]) > 1:
        raise UsageError(
            f"expected share to be a share from 0 to 1 of the training images, found "
            f"{pins['share']!r}; correct it."
        )
    candidates = _with_company(candidates, hp.pins)
    partners = [
        f"{each.backbone.name} {depth}"
        for each in candidates
        for depth in each.depths
        if each.backbone.pretrained
    ]
    candidates = [each for each in candidates if _shares(each.backbone, hp.pins)]
    if not candidates:
        raise UsageError(
            f"expected unfreeze=1.0 for a network that is trained from random weights, or 0.0 for "
            f"one that has none or is joined by others, found unfreeze={hp.pins['unfreeze']}; drop "
            f"that --set."
        )
    hp.Choice("backbone", [candidate.backbone.name for candidate in candidates])
    for candidate in candidates:
        with hp.conditional_scope("backbone", [candidate.backbone.name]):
            _declare_backbone(hp, candidate, manager, side, partners)
    if hp.unused_pins:
        raise _unknown_dimension(sorted(hp.unused_pins)[0], hp)
    return hp


def _with_company(candidates: Sequence[Candidate], pins: Mapping[str, str]) -> list[Candidate]:
    """Returns the candidates that can be what the pins of `PLAIN`'s dimensions ask for.

    Raises:
        UsageError: If there are none.
    """
    asked = [f"{name}={pins[name]}" for name in PLAIN if pins.get(name, PLAIN[name]) != PLAIN[name]]
    if not asked:
        return list(candidates)
    left = []
    for each in candidates:
        others = [d for d in each.depths if f"{each.backbone.name} {d}" != pins.get("fusion")]
        if others and each.backbone.pretrained and pins.get("weights") != "random":
            left.append(Candidate(each.backbone, others))
    if not left:
        raise UsageError(
            f"expected {', '.join(asked)} with a pretrained network, and another one than it adds, "
            f"found none that the other pins allow; drop one --set."
        )
    return left


def _declare_backbone(
    hp: PinnedHyperParameters,
    candidate: Candidate,
    manager: PluginManager,
    side: int,
    partners: Sequence[str],
) -> None:
    backbone = candidate.backbone
    hp.Choice("depth", list(candidate.depths))
    for depth in candidate.depths:
        with hp.conditional_scope("depth", [depth]):
            sides = list(backbone.resolutions_for(depth))
            if not backbone.pretrained:
                # Weights were learned at one resolution; without them, the data's own is best.
                sides.sort(key=lambda choice: abs(choice - side))
            hp.Choice("resolution", sides)
    if backbone.pretrained:
        hp.Fixed("weights", "pretrained")
    scratch = hp.pins.get("weights") == "random" or not backbone.pretrained
    shares = _shares(backbone, hp.pins)
    hp.Choice("unfreeze", shares)
    for share in shares:
        with hp.conditional_scope("unfreeze", [share]):
            if share > 0:
                policies = [policy.name for policy in manager.augmentations]
                # What is trained from nothing is often small pictures of signs, where left and
                # right differ: there the search has to find out that mirroring helps.
                plain = "none" if scratch and "none" in policies else policies[0]
                hp.Choice("augmentation", policies, default=plain)
                for policy in manager.augmentations:
                    with hp.conditional_scope("augmentation", [policy.name]):
                        policy.declare(hp)
                _declare_training(hp, *(SCRATCH if scratch else FINE_TUNING))
            else:
                # A head of layers is trained by gradient descent on frozen features as well.
                layered = [head.name for head in manager.heads if isinstance(head, LayersHead)]
                with hp.conditional_scope("head", layered):
                    _declare_training(hp, *PROBING)
                if backbone.pretrained:
                    _declare_company(hp, candidate, partners, POLICY in manager.augmentations)


def _declare_company(
    hp: PinnedHyperParameters, candidate: Candidate, partners: Sequence[str], varies: bool
) -> None:
    """Declares what a frozen network's features may be joined by; by default, nothing."""
    for depth in candidate.depths:
        with hp.conditional_scope("depth", [depth]):
            own = f"{candidate.backbone.name} {depth}"
            pinned = [hp.pins["fusion"]] if "fusion" in hp.pins else []
            hp.Choice("fusion", [ALONE, *(each for each in pinned or partners if each != own)])
    hp.Choice("scales", list(SCALES))
    if varies:
        hp.Choice("views", list(VIEWS))
    hp.Choice("mirror", ["no", "yes"])


def _shares(backbone: Backbone, pins: Mapping[str, str]) -> list[float]:
    """Returns the shares of blocks to train that make sense; none where the pinned one does not.

    Raises:
        UsageError: If the pinned one is no share.
    """
    scratch = pins.get("weights") == "random" or not backbone.pretrained
    if not backbone.trainable:
        shares = [0.0]
    elif scratch:
        shares = [1.0]
    elif any(pins.get(name, value) != value for name, value in PLAIN.items()):
        shares = [0.0]
    elif pins.keys() & MEANS_TUNING:
        shares = sorted((share for share in UNFREEZE if share > 0), reverse=True)
    else:
        shares = list(UNFREEZE)
    if "unfreeze" not in pins:
        return shares
    pinned = _number("unfreeze", pins["unfreeze"], float)
    if pinned > 1:
        raise UsageError(
            f"expected unfreeze to be a share from 0 to 1, found {pins['unfreeze']!r}; correct it."
        )
    free = backbone.trainable and not scratch and shares != [0.0]
    return [float(pinned)] if free or pinned in shares else []


def _declare_training(
    hp: PinnedHyperParameters,
    epochs: Sequence[int],
    rates: Mapping[str, tuple[float, float, float]],
) -> None:
    """Declares what gradient descent needs; `rates` are (least, most, default) by optimizer."""
    hp.Choice("optimizer", list(rates))
    for optimizer, (least, most, default) in rates.items():
        with hp.conditional_scope("optimizer", [optimizer]):
            if "lr" in hp.pins:
                hp.Fixed("lr", default)
            else:
                hp.Float("lr", least, most, sampling="log", default=default)
    hp.Choice("schedule", list(SCHEDULES))
    hp.Choice("epochs", list(epochs))
    hp.Choice("batch_size", [32, 16, 64])


def _one_of(name: str, values: Sequence[Any], pinned: str) -> Any:
    for value in values:
        if str(value) == pinned:
            return value
    if values and isinstance(values[0], (int, float)) and not isinstance(values[0], bool):
        return _number(name, pinned, type(values[0]), zero=min(values) <= 0)
    near = difflib.get_close_matches(pinned, [str(value) for value in values], n=1)
    meant = f"; did you mean {near[0]!r}?" if near else "."
    raise UsageError(
        f"expected {name} to be one of {', '.join(map(str, values))}, found {pinned!r}{meant}"
    )


def _number(
    name: str, pinned: str, kind: type[int] | type[float], zero: bool = True
) -> int | float:
    try:
        number = kind(pinned)
    except ValueError:
        number = kind(-1)
    if not 0 <= number < math.inf or (number == 0 and not zero):
        what = "a whole number" if kind is int else "a number"
        least = "of 0 or more" if zero else "above 0"
        raise UsageError(f"expected {name} to be {what} {least}, found {pinned!r}; correct it.")
    return number


def _unknown_dimension(name: str, hp: keras_tuner.HyperParameters) -> UsageError:
    known = sorted({dimension.name for dimension in hp.space})
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else "."
    return UsageError(f"expected a dimension ({', '.join(known)}), found {name!r}{meant}")
