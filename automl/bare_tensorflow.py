"""Lets TensorFlow's message classes be imported without TensorFlow.

`tensorflow_serving.apis` and whoever reads a SavedModel's own description import message classes
from inside the `tensorflow` package, and so all of TensorFlow: seconds, and hundreds of megabytes.
They need no more than their files, so a bare package stands in for `tensorflow` while they are
imported. Only this module does such a thing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
import types
from collections.abc import Iterator

from automl.errors import DeploymentError

_PACKAGE = "tensorflow"
_turn = threading.Lock()


@contextlib.contextmanager
def bare_tensorflow() -> Iterator[None]:
    """Makes `tensorflow` a package without contents; where it is loaded, it stays what it is.

    Keep what is imported meanwhile: its modules are forgotten afterwards, so that whoever imports
    `tensorflow` then gets the real one. Other threads wait for their turn.

    Raises:
        DeploymentError: If TensorFlow is not installed.
    """
    with _turn:
        if _PACKAGE in sys.modules:
            yield
            return
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or spec.submodule_search_locations is None:
            raise DeploymentError(
                "expected TensorFlow's message classes, found no tensorflow folder on the import "
                "path; install automl-vision with its dependencies."
            )
        bare = types.ModuleType(_PACKAGE)
        bare.__path__ = list(spec.submodule_search_locations)
        sys.modules[_PACKAGE] = bare
        try:
            yield
        finally:
            for name in [n for n in sys.modules if n.partition(".")[0] == _PACKAGE]:
                del sys.modules[name]
