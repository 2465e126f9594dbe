"""The search space in words of JSON, for whoever looks at a run."""

from __future__ import annotations

from typing import Any

import keras_tuner


def describe_dimensions(space: keras_tuner.HyperParameters) -> dict[str, dict[str, Any]]:
    """Returns what each dimension may be, wherever it occurs in the space.

    Returns:
        By dimension `{"values": […]}`, a single value where it is fixed, or
        `{"min": …, "max": …}` of the widest range.
    """
    made: dict[str, dict[str, Any]] = {}
    for hp in space.space:
        found = made.setdefault(hp.name, {})
        config = hp.get_config()
        if "min_value" in config:
            least, most = config["min_value"], config["max_value"]
            found["min"] = min(least, found.get("min", least))
            found["max"] = max(most, found.get("max", most))
        else:
            known = found.setdefault("values", [])
            known += [value for value in hp.values if value not in known]
    return made
