"""The options that a target is given: known ones only, each checked before it goes into a file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from automl.errors import UsageError

_LONGEST_NAME = 40
_STAY = ("port", "namespace", "context", "start")
_OF_ONE_VERSION = ("port", "start", "timeout")
_BOOLEANS = {"true": True, "false": False}


def check_options(target: str, known: Sequence[str], given: Mapping[str, Any]) -> None:
    """Checks that a target knows all options that it is given, and that `timeout` is a time.

    Raises:
        UsageError: If one is unknown, or it is none.
    """
    _check(f"an option of the target {target!r}", known, given)


def check_update_options(target: str, known: Sequence[str], given: Mapping[str, Any]) -> None:
    """Checks likewise what an update is given, which leaves the service where it is.

    Raises:
        UsageError: If one is unknown or stays, or `timeout` is no time.
    """
    changing = [name for name in known if name not in _STAY]
    _check(f"an option of the target {target!r} that an update can change", changing, given)


def _check(what: str, known: Sequence[str], given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "leave it out."
            raise UsageError(f"expected {what} ({', '.join(known)}), found {name!r}; {meant}")
    timeout(given, 1.0)


def kept_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that hold for later versions, too."""
    return {name: value for name, value in options.items() if name not in _OF_ONE_VERSION}


def object_name(deployment: str) -> str:
    """Returns the name of a deployment's objects in Docker and Kubernetes.

    Raises:
        UsageError: If they take no such name.
    """
    if len(deployment) > _LONGEST_NAME or not re.fullmatch(r"[a-z0-9](-?[a-z0-9])*", deployment):
        raise UsageError(
            f"expected a deployment name of at most {_LONGEST_NAME} small letters, digits and "
            f"single dashes for this target, found {deployment!r}; choose another with --name."
        )
    return f"automl-{deployment}"


def text(options: Mapping[str, Any], name: str, pattern: str, example: str) -> str:
    """Returns an option that matches `pattern` as a whole; empty where it is not given.

    Raises:
        UsageError: If it does not.
    """
    value = options.get(name, "")
    if value != "" and not (isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII)):
        raise UsageError(f"expected {name} such as {example}, found {value!r}; correct it.")
    return str(value)


def choice(options: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
    """Returns an option that is one of `known`, the first by default.

    Raises:
        UsageError: If it is another.
    """
    value = options.get(name, known[0])
    if value not in known:
        raise UsageError(f"expected {name} {' or '.join(known)}, found {value!r}; correct it.")
    return str(value)


def number(options: Mapping[str, Any], name: str) -> int | None:
    """Returns an option that is a whole number of 1 or more, as text or not; `None` without it.

    Raises:
        UsageError: If it is none.
    """
    value = options.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"[1-9]\d{0,5}", str(value), re.ASCII):
        raise UsageError(
            f"expected a whole number of 1 or more for {name}, found {value!r}; correct it."
        )
    return int(value)


def timeout(options: Mapping[str, Any], default: float) -> float:
    """Returns the seconds that a service has to come up.

    Raises:
        UsageError: If they are no number above 0.
    """
    value = options.get("timeout", default)
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(
            f"expected a number of seconds above 0 for timeout, found {value!r}; correct it."
        )
    return seconds


def truth(options: Mapping[str, Any], name: str) -> bool:
    """Returns an option that is true or false, as text or not; true without it.

    Raises:
        UsageError: If it is neither.
    """
    value = str(options.get(name, True)).lower()
    if value not in _BOOLEANS:
        raise UsageError(f"expected {name} true or false, found {value!r}; correct it.")
    return _BOOLEANS[value]
