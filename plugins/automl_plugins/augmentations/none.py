"""Training images as they are."""

from automl.components import Augmentation


class NoAugmentation(Augmentation):
    """Leaves the training images as they are."""

    name = "none"
