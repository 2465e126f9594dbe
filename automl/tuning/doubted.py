"""A trial's doubts about the training images, as the run keeps them: by path and label."""

from __future__ import annotations

from automl.records import DoubtsRecord
from automl.training.doubts import Doubts
from automl.tuning.preparation import Prepared


def doubts_record(found: Doubts, prepared: Prepared) -> DoubtsRecord:
    """Returns the images that a trial doubts by their paths."""
    images = prepared.images
    paths, y, names = images.paths, images.y, images.labels

    def image(position: int) -> dict[str, str]:
        row = int(prepared.train[position])
        return {"path": paths[row], "label": names[y[row]]}

    return {
        "judged": found["judged"],
        "labels": [{**image(at), "suggested": names[number]} for at, number in found["labels"]],
        "compared": found["compared"],
        "outliers": [{**image(at), "deviations": far} for at, far in found["outliers"]],
    }
