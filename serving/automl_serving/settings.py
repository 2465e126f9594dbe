"""Settings as typed fields: each is a flag and an environment variable, and says what it is."""

from __future__ import annotations

import argparse
import dataclasses
import os
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from automl.errors import UsageError

S = TypeVar("S", bound="Settings")

_CONVERTERS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def setting(default: Any, doc: str, metavar: str = "") -> Any:
    """Declares a setting in a dataclass.

    Args:
        default: Its value where neither flag nor variable is given; `dataclasses.MISSING`
            makes it required.
        doc: One sentence for `--help` and the reference.
        metavar: What stands for the value in `--help`.
    """
    return dataclasses.field(default=default, metadata={"doc": doc, "metavar": metavar})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of a program's settings; derive a frozen dataclass whose fields are `setting`s.

    Attributes:
        prefix: What each environment variable begins with.
        separator: What joins the words of a flag: `-`, or TF Serving's `_`.
    """

    prefix: typing.ClassVar[str] = ""
    separator: typing.ClassVar[str] = "-"

    @classmethod
    def flag(cls, name: str) -> str:
        """Returns the flag of the field `name`."""
        return "--" + name.replace("_", cls.separator)

    @classmethod
    def variable(cls, name: str) -> str:
        """Returns the environment variable of the field `name`."""
        return cls.prefix + name.upper()

    @classmethod
    def parse(cls: type[S], arguments: Sequence[str], prog: str, description: str) -> S:
        """Reads the settings; a flag wins over its variable, and that over the default.

        Raises:
            UsageError: If one is unknown, missing or of the wrong type.
        """
        parser = _Parser(
            prog=prog, description=description, allow_abbrev=False, formatter_class=_Formatter
        )
        fields = dataclasses.fields(cls)
        for field in fields:
            default = "required" if field.default is dataclasses.MISSING else field.default
            shown = "none" if default is None or default == "" else default
            variable = cls.variable(field.name)
            # `--flag` alone is `--flag=true`, as TF Serving's flags are.
            alone: dict[str, Any] = {"nargs": "?", "const": "true"} if field.type == "bool" else {}
            parser.add_argument(
                cls.flag(field.name),
                dest=field.name,
                **alone,
                metavar=field.metadata["metavar"] or field.name.upper(),
                help=f"{field.metadata['doc']} [{shown}; ${variable}]".replace("%", "%%"),
            )
        given = vars(parser.parse_args(list(arguments)))
        kinds = typing.get_type_hints(cls)
        values = {}
        for field in fields:
            source = cls.flag(field.name)
            text = given[field.name]
            if text is None:
                variable = cls.variable(field.name)
                source, text = variable, os.environ.get(variable)
            if text is not None:
                values[field.name] = _convert(text, kinds[field.name], source)
            elif field.default is dataclasses.MISSING:
                raise UsageError(
                    f"expected {cls.flag(field.name)}, found none; give it or see {prog} --help."
                )
        return cls(**values)


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=8)  # or long variables are cut in two


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> typing.NoReturn:
        raise UsageError(
            f"expected flags as in {self.prog} --help, found otherwise ({message}); correct them."
        )


def _convert(text: str, kind: Any, source: str) -> Any:
    names = {getattr(one, "__name__", "") for one in (kind, *typing.get_args(kind))}
    try:
        if "bool" in names:
            return _BOOLEANS[text.lower()]
        if "int" in names:
            return int(text)
        if "float" in names:
            return float(text)
    except (KeyError, ValueError):
        wanted = next(what for name, what in _CONVERTERS.items() if name in names)
        raise UsageError(f"expected {wanted} for {source}, found {text!r}; correct it.") from None
    return Path(text) if "Path" in names else text


def check_port(port: int, flag: str) -> None:
    """Checks that `port` can be listened on; 0 stands for any free one.

    Raises:
        UsageError: If it cannot.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"expected a port of 0 to 65535 for {flag}, found {port}; correct it.")
