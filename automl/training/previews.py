"""Contact sheets: pictures, and beside each what an augmentation makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.components import Augmentation
from automl.data.augmenting import checked_pipelines, vary
from automl.training.views import variations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Images = NDArray[np.uint8]

GAP = 4
"""Pixels of white between pictures."""


def policy_rows(
    policy: Augmentation, images: Images, copies: int, seed: int
) -> list[Sequence[Image]]:
    """Returns a row for each of uint8 `[N, H, W, 3]`: itself, and copies as a policy varies it.

    Its hyperparameters are those that it declares by default.
    """
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    policy.declare(hp)
    makers = variations(policy, hp.values, seed, copies + 1)
    views = [make(images, number) for number, make in enumerate(makers)]
    sheet = np.clip(np.round(np.stack(views, axis=1)), 0, 255).astype(np.uint8)
    return list(sheet)


def pipeline_rows(
    pipeline: Any, images: Sequence[Image], copies: int, seed: int
) -> list[Sequence[Image]]:
    """Returns a row for each image, as `policy_rows` does, by an imgaug pipeline.

    Raises:
        UsageError: If it is none, fails or returns something else than images.
    """
    (pipeline,) = checked_pipelines([pipeline])
    return [
        [image, *(vary(pipeline, image, [seed, copy, row]) for copy in range(copies))]
        for row, image in enumerate(images)
    ]


def contact_sheet(rows: Sequence[Sequence[Image]]) -> Image:
    """Returns rows of pictures on white, each in a cell as large as the largest picture."""
    pictures = [image for row in rows for image in row]
    height = max(image.shape[0] for image in pictures) + GAP
    width = max(image.shape[1] for image in pictures) + GAP
    columns = max(len(row) for row in rows)
    sheet = np.full((GAP + height * len(rows), GAP + width * columns, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            top, left = GAP + y * height, GAP + x * width
            sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet
