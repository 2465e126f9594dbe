"""What the checks share."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


def expect(condition: object, sentence: str) -> None:
    """Raises `AssertionError` with `sentence` unless `condition` holds.

    Unlike a bare assert it also works under `python -O`.
    """
    if not condition:
        raise AssertionError(sentence)


@contextlib.contextmanager
def expect_raises(error: type[Exception], what: str) -> Iterator[None]:
    """Raises `AssertionError` unless the block raises `error`; `what` names the block's act."""
    try:
        yield
    except error:
        return
    except Exception as other:
        raise AssertionError(
            f"expected {what} to raise {error.__name__}, found {type(other).__name__}: {other}."
        ) from other
    raise AssertionError(f"expected {what} to raise {error.__name__}, found no error.")


def check_name(component: Any) -> str:
    """Checks that a component's name is one that users can type, and returns it."""
    name = getattr(component, "name", None)
    expect(
        isinstance(name, str) and _NAME.match(name),
        f"expected {type(component).__name__}.name in lower case with hyphens, found {name!r}.",
    )
    return str(name)


def declared(component: Any) -> Mapping[str, Any]:
    """Returns the default values of the hyperparameters that a component declares."""
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    component.declare(hp)
    before = dict(hp.values)
    component.declare(hp)
    expect(
        hp.values == before,
        f"expected {component.name}.declare to declare the same hyperparameters each time, "
        f"found {before} and then {hp.values}.",
    )
    return before
