"""How figures and configurations are put in words on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.evaluation import text


def percent(share: float | None) -> str:
    """Returns a share 0..1 as `95.2 %`, never 100 for less than all; a dash for `None`."""
    return "—" if share is None else text.percent(share).replace(text.NO_BREAK_SPACE, " ")


def seconds_text(seconds: float) -> str:
    """Returns seconds as `8 s`, `0.4 s`, `3 min 20 s` or `1 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def configuration(values: Mapping[str, Any]) -> str:
    """Returns a trial's hyperparameters as one short phrase."""
    parts = [f"{text.network(values)} at {values['resolution']} px", values["head"]]
    if "C" in values and values["C"] != "path":
        parts.append(f"C={float(values['C']):g}")
    if float(values["unfreeze"]) > 0:
        parts.append(f"fine-tuning {100 * float(values['unfreeze']):.0f} %")
        parts.append(str(values["augmentation"]))
    if "lr" in values:
        rate = values["lr"]
        shown = f"{rate:.2g}" if isinstance(rate, float) else rate
        parts.append(f"{values['optimizer']} {shown} {values['schedule']}")
        parts.append(f"{values['epochs']} epochs")
    if int(values.get("scales", 1)) > 1:
        parts.append(f"{values['scales']} sizes")
    if int(values.get("views", 1)) > 1:
        parts.append(f"{values['views']} views")
    if values.get("mirror") == "yes":
        parts.append("mirrored")
    if float(values.get("share", 1)) < 1:
        parts.append(f"{100 * float(values['share']):.0f} % of the images")
    return ", ".join(parts)
