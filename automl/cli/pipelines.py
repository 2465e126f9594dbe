"""imgaug pipelines named on the command line, as `FILE.py:NAME`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from automl.errors import UsageError


def load_pipeline(text: str) -> Any:
    """Returns what a Python file calls `NAME`, running the file.

    `import imgaug` works in it as it is: imgaug has been mended for NumPy 2 by then.

    Raises:
        UsageError: If there is no such file or name, or running it fails.
        PluginError: If imgaug cannot be imported.
    """
    from automl.imgaug_numpy2 import augmenters

    file, _, name = text.rpartition(":")
    if not file or not Path(file).is_file():
        raise UsageError(
            f"expected a pipeline as FILE.py:NAME, found {text!r}, of which no file is there; "
            f"correct it."
        )
    augmenters()
    specification = importlib.util.spec_from_file_location(Path(file).stem, file)
    if specification is None or specification.loader is None:
        raise UsageError(f"expected a Python file with a pipeline, found {file}; rename it to .py.")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:  # it may run code of any kind
        raise UsageError(
            f"expected {file} to run, found {type(error).__name__}: {error}; correct it."
        ) from error
    if not hasattr(module, name):
        raise UsageError(f"expected {name!r} in {file}, found nothing of that name; correct it.")
    return getattr(module, name)
