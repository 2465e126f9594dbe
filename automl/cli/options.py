"""Options and output that commands share."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from automl.errors import UsageError

_OF_ANY_TARGET = frozenset({"self", "model", "name", "target", "version", "workspace"})
"""What deployments are told beside their target's options."""

F = TypeVar("F", bound=Callable[..., Any])


class Duration(click.ParamType[float]):
    """A time, such as `90s`, `3m`, `1h30m` or `90`; passed on in seconds (a float above 0)."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Reads it, or raises `UsageError`."""
        from automl.tuning.settings import parse_duration

        return parse_duration(value)


class _InRange(click.ParamType[Any]):
    """Reads what the range beside it reads, and refuses the rest in the words of all errors."""

    kind: str
    min: Any
    max: Any
    min_open: bool

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reads it, or raises `UsageError`."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            name = param.opts[0] if param else "it"
            if self.max is not None:
                allowed = f"from {self.min} to {self.max}"
            else:
                allowed = f"above {self.min}" if self.min_open else f"of {self.min} or more"
            raise UsageError(
                f"expected {name} to be {self.kind} {allowed}, found {value!r}; correct it."
            ) from None


class WholeNumber(_InRange, click.IntRange):
    """A whole number in a range."""

    kind = "a whole number"


class Number(_InRange, click.FloatRange):
    """A number in a range."""

    kind = "a number"


def workspace_option(function: F) -> F:
    """Adds `--workspace DIR`, passed on as `workspace` (a string or `None`)."""
    return click.option(
        "--workspace",
        metavar="DIR",
        help="The workspace  [default: $AUTOML_WORKSPACE, else the nearest one upwards, "
        "else ./automl-workspace]",
    )(function)


def timeout_option(function: F) -> F:
    """Adds `--timeout TIME`, passed on as `timeout` (seconds, or `None`)."""
    return click.option(
        "--timeout",
        type=Duration(),
        metavar="TIME",
        help="How long it may take to come up  [default: the target's own, 60s for local]",
    )(function)


def target_option(function: F) -> F:
    """Adds `--set OPTION=VALUE`, passed on as `settings`; `target_options` reads them."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="OPTION=VALUE",
        help="Another option of the target, such as precision=bfloat16 for local; repeatable.",
    )(function)


def target_options(settings: Sequence[str], **flags: Any) -> dict[str, Any]:
    """Returns what `--set` says of a target, and the flags of their own that are not `None`.

    Raises:
        UsageError: If one is put wrongly.
    """
    options = assignments(settings, "precision=bfloat16")
    for name in options.keys() & _OF_ANY_TARGET:
        raise UsageError(
            f"expected an option of the target with --set, found {name!r}; see --help."
        )
    return {**options, **{flag: value for flag, value in flags.items() if value is not None}}


def json_option(function: F) -> F:
    """Adds `--json`, passed on as `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
    )(function)


def assignments(texts: Sequence[str], example: str) -> dict[str, str]:
    """Returns what `--set OPTION=VALUE` says, by option.

    Raises:
        UsageError: If one is put wrongly; `example` shows how it should be.
    """
    for text in texts:
        if not all(text.partition("=")):
            raise UsageError(
                f"expected --set OPTION=VALUE, such as --set {example}, found {text!r}."
            )
    return dict(text.split("=", 1) for text in texts)


def service(deployment: str, key: str | None, workspace: str | None) -> tuple[str, str]:
    """Returns the address and the key of a deployment's name, or of a gateway's address.

    The address is good until the command ends.

    Raises:
        UsageError: If it is an address and there is no key.
        NotFoundError: If there is no such deployment.
        DeploymentError: If it is not up yet, or cannot be reached from here.
    """
    from automl.payload import is_url

    if is_url(deployment):
        if not key:
            raise UsageError(
                f"expected the key of {deployment}, found none; add --key KEY or set AUTOML_KEY."
            )
        return deployment, key
    from automl.deployment import get_deployment

    record = get_deployment(deployment, workspace)
    context = click.get_current_context()
    # What the environment holds is the key of another service, for which only the address is given.
    typed = context.get_parameter_source("key") is ParameterSource.COMMANDLINE
    context.with_resource(signals_as_exits())
    return context.with_resource(record.reach()), key if typed and key else record.key


@contextlib.contextmanager
def signals_as_exits() -> Iterator[None]:
    """Lets a command that is told to end clean up, as after Ctrl-C."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {n: signal.signal(n, leave) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_json(content: Any) -> None:
    """Prints one JSON object on standard output."""
    click.echo(json.dumps(content, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows in columns, never cut or wrapped, so that other programs can read them too."""
    lines = [headings, *rows]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(headings))]
    for line in lines:
        cells = (
            cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def _width(text: str) -> int:
    """Returns how many columns of a terminal `text` takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
