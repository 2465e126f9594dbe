"""How many of some images a model was trained on, by their contents."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from automl.errors import DataError, NotFoundError

if TYPE_CHECKING:
    from automl.data.dataset import Dataset
    from automl.registry import Model
    from automl.workspace import Workspace

logger = logging.getLogger(__name__)


def trained_on(model: Model, images: Dataset, workspace: Workspace) -> int | None:
    """Counts the images on which the run that found `model` trained; copies count too.

    Returns:
        `None` where the run is not in the workspace, so that nobody knows.
    """
    import numpy as np

    from automl.tuning.run import find_run
    from automl.tuning.run_data import FILE, load_images

    try:
        run = find_run(workspace, model.manifest.run)
        known, _ = load_images(run.folder)
        with np.load(run.folder / FILE) as split:
            training = known.select(split["rows"]).with_ids()
    except (NotFoundError, DataError, OSError):
        return None
    if training.fingerprint != run.record["fingerprint"]:
        logger.warning(
            "some images that %s was trained on have changed or gone since; whether these are "
            "among the ones to measure it on cannot be told.",
            model.name,
        )
    ids = set(training.ids)
    return sum(each in ids for each in images.ids)
