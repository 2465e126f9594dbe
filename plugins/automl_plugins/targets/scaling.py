"""How many pods serve: a number, or one that follows the load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl.errors import UsageError
from automl_plugins.targets.options import number

_LOAD = 70
"""The part of the processors that pods ask for at which there are enough of them, in percent."""

_AUTOSCALED = ("min_replicas", "max_replicas")


@dataclass(frozen=True)
class Scale:
    """How many pods there are: `replicas`, or between `least` and `most` by their load."""

    replicas: int = 1
    least: int | None = None
    most: int | None = None


def chosen_scale(options: Mapping[str, Any]) -> Scale:
    """Returns what `replicas`, `min_replicas` and `max_replicas` ask for.

    Raises:
        UsageError: If one is put wrongly, or they contradict each other.
    """
    replicas, least, most = (
        number(options, name) for name in ("replicas", "min_replicas", "max_replicas")
    )
    if least is None and most is None:
        return Scale(replicas or 1)
    if replicas is not None or most is None or (least or 1) > most:
        raise UsageError(
            f"expected replicas, or a max_replicas not below min_replicas, found replicas "
            f"{replicas or 'none'}, min_replicas {least or 'none'} and max_replicas "
            f"{most or 'none'}; correct them."
        )
    return Scale(1, least or 1, most)


def check_update_scale(given: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """Checks that an update neither begins nor ends autoscaling.

    An autoscaler in the cluster would not go by being left out of the manifests.

    Raises:
        UsageError: If it does.
    """
    scaled = "max_replicas" in kept
    found = [name for name in given if name in (("replicas",) if scaled else _AUTOSCALED)]
    if found:
        raise UsageError(
            f"expected an update to leave whether the number of pods follows the load, found "
            f"{found[0]} where it {'does' if scaled else 'does not'}; delete the deployment and "
            f"deploy anew."
        )


def autoscaler(scale: Scale, deployment: str) -> tuple[str, str, dict[str, Any]]:
    """Returns the API version, the kind and the specification of what counts the pods."""
    target = {"type": "Utilization", "averageUtilization": _LOAD}
    return (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": scale.least,
            "maxReplicas": scale.most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    )
