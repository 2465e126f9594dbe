"""The images of the quickstart: scikit-learn's scans of handwritten digits, as a folder."""

from __future__ import annotations

from pathlib import Path


def write_digits(folder: Path) -> int:
    """Writes 1,797 real scans of handwritten digits, 8×8 pixels, as a folder a digit.

    They come with scikit-learn: the test set of Alpaydin and Kaynak, "Optical Recognition of
    Handwritten Digits", UCI Machine Learning Repository, 1998. Files that are there already
    are written anew.

    Args:
        folder: Made if needed.

    Returns:
        The number of images.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    from automl.images import encode_png

    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        place = folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        grey = np.clip(image * (255 / 16), 0, 255).astype(np.uint8)
        png = encode_png(np.repeat(grey[:, :, None], 3, axis=2))
        (place / f"{number:04d}.png").write_bytes(png)
    return len(digits.images)
