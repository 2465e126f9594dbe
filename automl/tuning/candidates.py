"""Which backbones a search may try: those that suit the pictures and whose weights are here."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from automl.components import Backbone
from automl.errors import UsageError, WeightsUnavailableError
from automl.plugins import PluginManager
from automl.training.composition import ALONE, network_named

CONNECT_SECONDS = 2.0


@dataclass(frozen=True)
class Candidate:
    """A backbone and the depths of it that can be had."""

    backbone: Backbone
    depths: Sequence[int | str]


def find_candidates(
    manager: PluginManager, pins: Mapping[str, str], side: int
) -> tuple[list[Candidate], list[str]]:
    """Returns the candidates, and notes on what was left out.

    Args:
        manager: The plugins.
        pins: Values by dimension; `backbone`, `depth`, `weights` and `fusion` matter here.
        side: The median of the images' shorter sides, in pixels.

    Raises:
        UsageError: If the pins cannot be met; see `check_backbone_pins`.
        WeightsUnavailableError: If nothing is left, or `fusion` cannot be had, with the reason.
    """
    backbones = check_backbone_pins(manager, pins)
    if "backbone" not in pins:
        backbones = [each for each in backbones if each.suits(side)] or backbones
    candidates, missing = [], {}
    reachable = _Reachable()
    for backbone in backbones:
        wanted = _wanted_depths(backbone, pins)
        named = pins.get("weights", "pretrained") != "pretrained"
        depths = [d for d in wanted if named or _has_weights(backbone, d, reachable)]
        if depths:
            candidates.append(Candidate(backbone, depths))
        if len(depths) < len(wanted):
            missing[backbone.name] = [str(d) for d in wanted if d not in depths]
    if not candidates:
        raise WeightsUnavailableError(_nothing_left(manager, missing))
    if pins.get("fusion", ALONE) != ALONE:
        other = network_named(pins["fusion"])
        if not _has_weights(manager.backbones[other.backbone], other.depth, reachable):
            manager.backbones[other.backbone].require_weights(other.depth)
    return candidates, _notes(manager, missing)


def check_backbone_pins(manager: PluginManager, pins: Mapping[str, str]) -> list[Backbone]:
    """Returns the backbones that the pins leave, without asking whether weights can be had.

    Raises:
        UsageError: If a pinned backbone, depth or file of weights does not exist.
    """
    pinned, weights = pins.get("backbone"), pins.get("weights")
    backbones = [manager.backbones[pinned]] if pinned else list(manager.backbones)
    if weights is not None and not pinned:
        raise UsageError(
            "expected the backbone that weights belong to, found weights alone; add "
            "--set backbone=NAME."
        )
    if weights not in (None, "pretrained", "random") and not Path(str(weights)).is_file():
        raise UsageError(
            f"expected weights to be pretrained, random or a file, found no file {weights!r}; "
            f"check the path."
        )
    left = [backbone for backbone in backbones if _wanted_depths(backbone, pins)]
    if not left:
        whose = pinned or "any backbone"
        depths = dict.fromkeys(str(depth) for each in backbones for depth in each.depths)
        raise UsageError(
            f"expected a depth of {whose} ({', '.join(depths)}), found {pins['depth']!r}; "
            f"correct depth."
        )
    return left


def _wanted_depths(backbone: Backbone, pins: Mapping[str, str]) -> list[int | str]:
    return [depth for depth in backbone.depths if str(depth) == pins.get("depth", str(depth))]


def _has_weights(backbone: Backbone, depth: int | str, reachable: _Reachable) -> bool:
    weights = backbone.weights(depth)
    if weights is None or weights.path is not None:
        return True
    return bool(weights.url) and reachable(weights.url)


class _Reachable:
    """Says whether an address's host answers, asking each host once."""

    def __init__(self) -> None:
        self._answers: dict[str, bool] = {}

    def __call__(self, url: str) -> bool:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        if host not in self._answers:
            # Looking a name up has no time limit of its own, so a thread waits for it.
            pool = ThreadPoolExecutor(1)
            try:
                self._answers[host] = pool.submit(_connects, host, port).result(2 * CONNECT_SECONDS)
            except TimeoutError:
                self._answers[host] = False
            finally:
                pool.shutdown(wait=False)
        return self._answers[host]


def _connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _notes(manager: PluginManager, missing: Mapping[str, Sequence[str]]) -> list[str]:
    if not missing:
        return []
    left_out = [
        name if len(depths) == len(manager.backbones[name].depths) else f"{name} {'/'.join(depths)}"
        for name, depths in missing.items()
    ]
    note = (
        "Left out, as their pretrained weights are not here and cannot be downloaded now: "
        f"{', '.join(left_out)} (see `automl doctor`)."
    )
    return [note]


def _nothing_left(manager: PluginManager, missing: Mapping[str, Sequence[str]]) -> str:
    if len(missing) == 1:
        ((name, depths),) = missing.items()
        found = manager.backbones[name].weights(
            next(d for d in manager.backbones[name].depths if str(d) == depths[0])
        )
        hint = found.hint if found and found.hint else "name a file with --set weights=FILE"
        return (
            f"expected pretrained weights for {name} {', '.join(depths)}, found none on this "
            f"machine and no way to download them; {hint}."
        )
    return (
        "expected a backbone whose weights can be had, found none; install one or name a file "
        "with --set backbone=NAME --set weights=FILE (see `automl doctor`)."
    )
