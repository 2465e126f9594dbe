"""Imports imgaug 0.4.0, which was written for NumPy 1, under NumPy 2."""

from __future__ import annotations

import functools
import importlib
import warnings
from typing import Any

from automl.errors import PluginError


def augmenters() -> Any:
    """Returns the module `imgaug.augmenters`, which many call `iaa`.

    Puts back the two names that imgaug reads from NumPy and NumPy 2 dropped: `np.sctypes`
    (at import) and `np.complex` (when frequency noise is drawn). Keeps OpenCV from
    starting threads of its own beside those that put the batches together.

    Raises:
        PluginError: If imgaug or OpenCV cannot be imported.
    """
    module = _imported()
    # It calls what scikit-image and imageio deprecate, which nobody who uses it can help.
    warnings.filterwarnings("ignore", module=r"imgaug\.")
    warnings.filterwarnings("ignore", message="`pilmode` is deprecated")
    return module


@functools.cache
def _imported() -> Any:
    import numpy as np

    names: dict[str, Any] = {
        "sctypes": {
            "int": [np.int8, np.int16, np.int32, np.int64],
            "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
            "float": [np.float16, np.float32, np.float64],
            "complex": [np.complex64, np.complex128],
            "others": [bool, object, bytes, str, np.void],
        },
        "complex": complex,
    }
    for name, value in names.items():
        if name not in vars(np):
            setattr(np, name, value)
    try:
        import cv2

        with warnings.catch_warnings():
            # Its docstrings hold invalid escapes.
            warnings.simplefilter("ignore")
            module = importlib.import_module("imgaug.augmenters")
    except ImportError as error:
        raise PluginError(
            f"expected imgaug and OpenCV to load, found: {error}; install their system "
            f"libraries (libgl1 on Debian) or choose another augmentation."
        ) from error
    cv2.setNumThreads(0)
    return module
