"""`automl doctor`: what this machine offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from automl.cli.options import json_option, print_json, workspace_option

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command()
@workspace_option
@json_option
def command(workspace: str | None, as_json: bool) -> None:
    """Check this machine: versions, devices, weights."""
    from automl.machine import describe

    found = describe(workspace)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for title, rows in (
        ("Versions", [(name, text or "not installed") for name, text in _versions(found)]),
        ("Machine", list(_machine(found))),
        ("Pretrained weights", list(_weights(found))),
    ):
        table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
        table.add_column(min_width=24, max_width=32)
        table.add_column(overflow="fold")
        for name, text in rows:
            table.add_row(Text(name), Text(text))
        console.print(Text(title, style="bold"), table, sep="\n")


def _versions(found: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    yield "python", f"{found['python']} on {found['platform']}"
    yield from found["versions"].items()


def _machine(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from automl.cache import readable

    yield "processor", f"{found['cpu']['cores']} cores, {found['cpu']['name']}"
    memory = found["memory"]
    yield "memory", f"{_size(memory['available'])} free of {_size(memory['total'])}"
    for gpu in found["gpus"]:
        yield "GPU", f"{gpu['name']}, {_size(gpu['memory'])}, driver {gpu['driver']}"
    if not found["gpus"]:
        yield "GPU", "none found"
    place = found["workspace"]
    yield "workspace", place["path"] + ("" if place["exists"] else " (not made yet)")
    cache = found["cache"]
    yield "cache", f"{readable(cache['size'])} of at most {readable(cache['limit'])}"
    yield "disk", f"{_size(found['disk']['free'])} free of {_size(found['disk']['total'])}"


def _weights(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Tells of each backbone in one row, or in as many as its depths differ."""
    rows: dict[tuple[str, str], list[str]] = {}
    for entry in found["weights"]:
        advice = entry["hint"] or "name a file with --set weights=FILE"
        text = f"here ({entry['weights']})" if entry["offline"] else f"not here; {advice}"
        rows.setdefault((entry["backbone"], text), []).append(str(entry["depth"]))
    for (backbone, text), depths in rows.items():
        yield f"{backbone} {', '.join(depths)}", text


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
