"""`automl plugins`: what is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from automl.cli.options import json_option, print_json

if TYPE_CHECKING:
    from automl.plugins import PluginManager, PluginRecord


@click.group()
def command() -> None:
    """List what is installed."""


@command.command("list")
@json_option
def list_plugins(as_json: bool) -> None:
    """List plugins and the components that each brings."""
    from automl.plugins import PluginManager

    # A manager of its own: what is broken is shown in its row, not warned about as well.
    manager = PluginManager()
    manager.load()
    if as_json:
        print_json({"plugins": [_as_json(manager, record) for record in manager.records]})
    else:
        _print_table(manager)


def _as_json(manager: PluginManager, record: PluginRecord) -> dict[str, object]:
    return {
        "name": record.name,
        "package": record.package,
        "builtin": record.builtin,
        "error": record.error,
        "components": [
            {"kind": kind, "name": name} for kind, name in manager.components(record.name)
        ],
    }


def _print_table(manager: PluginManager) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Plugin", overflow="fold")
    table.add_column("Brings", ratio=1)
    for record in manager.records:
        plugin = Text(record.name)
        plugin.append(f"\n{record.package or 'built in'}", style="dim")
        brings = Text(_summary(manager.components(record.name)) or "no components")
        if record.error:
            brings = Text(f"broken: {record.error}", style="red")
        table.add_row(plugin, brings)
    Console().print(table)


def _summary(components: list[tuple[str, str]]) -> str:
    """Groups components by kind, a kind a line."""
    kinds: dict[str, list[str]] = {}
    for kind, name in components:
        kinds.setdefault(kind, []).append(name)
    return "\n".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items())
