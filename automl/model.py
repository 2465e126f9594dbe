"""A model version on disk: predicts, evaluates itself, and is copied elsewhere."""

from __future__ import annotations

import functools
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from automl.errors import DataError, ImageError, NotFoundError, UsageError
from automl.manifest import Manifest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from automl.components import LoadedModel
    from automl.data.dataset import Dataset
    from automl.evaluation.metrics import Evaluation

    Pixels = NDArray[np.uint8]
    Image = str | os.PathLike[str] | bytes | Pixels

logger = logging.getLogger(__name__)

SAVED_MODEL = "saved_model.pb"
SIGNATURE = "serving_default"
RUNTIME = "tensorflow"

_BATCH = 32


class Prediction(TypedDict):
    """What a model says about one picture.

    Attributes:
        label: The most probable class.
        probability: Of that class, 0..1.
        scores: Probabilities by class, highest first.
    """

    label: str
    probability: float
    scores: dict[str, float]


class Model:
    """A model version in a folder of its own, loaded into memory when it is first used.

    Attributes:
        path: The folder: the SavedModel, with the manifest in `assets.extra`.
        manifest: What the SavedModel does not say about itself.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens the model version in the folder `path`.

        Raises:
            NotFoundError: If the manifest or the SavedModel is missing.
            WorkspaceError: If the manifest is damaged.
        """
        self.path = Path(path).absolute()
        self.manifest = Manifest.read(self.path)
        if not (self.path / SAVED_MODEL).is_file():
            raise NotFoundError(
                f"expected a SavedModel in {self.path}, found no {SAVED_MODEL}; export again."
            )

    def __repr__(self) -> str:
        return f"<Model {self.name} {self.version} at {self.path}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.name

    @property
    def version(self) -> int:
        """The version's number, 1 or more."""
        return self.manifest.version

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the outputs."""
        return self.manifest.labels

    @property
    def size(self) -> int:
        """What the folder takes on the disk, in bytes."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())

    def predict(
        self, images: Image | Sequence[Image], top_k: int | None = None
    ) -> list[Prediction]:
        """Classifies pictures.

        Args:
            images: A file's path, encoded bytes, uint8 RGB pixels `[H, W, 3]` of any size, or
                many: a list of these, or uint8 `[N, H, W, 3]`.
            top_k: How many classes `scores` holds; all by default.

        Returns:
            One prediction a picture, in order; a list of one for a single picture.

        Raises:
            ImageError: If a picture cannot be read.
            UsageError: If `images` or `top_k` is of another kind.
        """
        if top_k is not None and top_k < 1:
            raise UsageError(f"expected top_k of 1 or more, found {top_k}; leave it out for all.")
        return [
            self._prediction(row, top_k)
            for batch in _batches(_listed(images), _BATCH)
            for row in self.probabilities(self._decode(batch))
        ]

    def probabilities(self, pixels: Pixels, batch_size: int = _BATCH) -> NDArray[np.float32]:
        """Returns float32 probabilities `[N, C]` for uint8 RGB `[N, height, width, 3]`.

        Raises:
            UsageError: If the pixels are of another shape or type.
        """
        import numpy as np

        shape = (self.manifest.height, self.manifest.width, 3)
        if pixels.ndim != 4 or pixels.shape[1:] != shape or pixels.dtype != np.uint8:
            wanted = ", ".join(map(str, shape))
            raise UsageError(
                f"expected pixels as uint8 [N, {wanted}], found {pixels.dtype} "
                f"{list(pixels.shape)}; `predict` takes pictures of any size."
            )
        result = np.empty((len(pixels), len(self.labels)), np.float32)
        for start in range(0, len(pixels), batch_size):
            part = slice(start, start + batch_size)
            outputs = self._loaded.predict(SIGNATURE, {"images": pixels[part]})
            result[part] = outputs["probabilities"]
        return result

    def evaluate(self, dataset: Dataset) -> Evaluation:
        """Measures the model on labelled pictures; classes are matched by name.

        Pictures that cannot be read are left out, each with a warning that says why.

        Raises:
            DataError: If the dataset has a class that the model does not know, or holds no
                picture that can be read.
        """
        import numpy as np

        from automl.evaluation.metrics import Evaluation

        names = list(dataset.labels)
        present = sorted({int(i) for i in dataset.y})
        unknown = [names[i] for i in present if names[i] not in self.labels]
        if unknown:
            raise DataError(
                f"expected classes that {self.name} knows ({', '.join(self.labels)}), found "
                f"{', '.join(unknown)}; rename or remove these folders."
            )
        if not present:
            raise DataError("expected labelled images to evaluate on, found none; add some.")
        index = {i: self.labels.index(names[i]) for i in present}
        paths = dataset.paths
        kept: list[int] = []
        parts = []
        # Pillow lets go of the interpreter while it decodes.
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(paths), _BATCH):
                read = enumerate(pool.map(self._readable, paths[start : start + _BATCH]), start)
                found = [(row, pixels) for row, pixels in read if pixels is not None]
                if found:
                    kept += [row for row, _ in found]
                    parts.append(self.probabilities(np.stack([pixels for _, pixels in found])))
        if not kept:
            raise DataError("expected pictures that can be read, found none; check the folder.")
        y_true = np.array([index[int(i)] for i in dataset.y[kept]], np.int64)
        shown = [paths[row] for row in kept]
        return Evaluation.from_predictions(self.labels, y_true, np.concatenate(parts), shown)

    def _readable(self, path: str) -> NDArray[np.uint8] | None:
        from automl.images import decode

        try:
            return decode(path, (self.manifest.height, self.manifest.width))
        except ImageError as error:
            logger.warning("left out: %s", error)
            return None

    def export(self, directory: str | os.PathLike[str]) -> Path:
        """Copies the SavedModel and its manifest to a new folder, whole or not at all.

        Args:
            directory: The folder to make, such as `serving/recycling/1`.

        Returns:
            The folder's absolute path.

        Raises:
            UsageError: If there is something already.
        """
        target = Path(directory).expanduser().absolute()
        if target.is_symlink() or (target.exists() and not _is_empty_folder(target)):
            raise UsageError(
                f"expected a new folder to export to, found {target} in use; choose another."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as beside:
            copy = Path(beside) / "copy"
            shutil.copytree(self.path, copy)
            copy.rename(target)
        return target

    @functools.cached_property
    def _loaded(self) -> LoadedModel:
        from automl.plugins import plugin_manager

        return plugin_manager().runtimes[RUNTIME].load(self.path)

    def _decode(self, images: Sequence[Image]) -> Pixels:
        """Returns uint8 `[N, height, width, 3]`, decoded as the gateway does."""
        import numpy as np

        from automl.images import decode, encode_png

        size = (self.manifest.height, self.manifest.width)

        def pixels(image: Image) -> Pixels:
            if isinstance(image, np.ndarray):
                if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                    raise UsageError(
                        f"expected pixels as uint8 [H, W, 3], found {image.dtype} "
                        f"{list(image.shape)}; convert them to RGB in 0..255 first."
                    )
                return image if image.shape[:2] == size else decode(encode_png(image), size)
            if not isinstance(image, str | os.PathLike | bytes):
                raise UsageError(
                    f"expected an image as a path, bytes or a NumPy array, found a "
                    f"{type(image).__name__}; pass one of these or a list of them."
                )
            return decode(image, size)

        # Pillow lets go of the interpreter while it decodes.
        with ThreadPoolExecutor() as pool:
            decoded = list(pool.map(pixels, images))
        return np.stack(decoded)

    def _prediction(self, row: NDArray[np.float32], top_k: int | None) -> Prediction:
        order = sorted(range(len(self.labels)), key=lambda i: -float(row[i]))
        return Prediction(
            label=self.labels[order[0]],
            probability=float(row[order[0]]),
            scores={self.labels[i]: float(row[i]) for i in order[:top_k]},
        )


def _listed(images: Image | Sequence[Image]) -> list[Image]:
    import numpy as np

    single = isinstance(images, str | os.PathLike | bytes) or not isinstance(images, Iterable)
    if single or (isinstance(images, np.ndarray) and images.ndim != 4):
        return [cast("Image", images)]  # what it is not is said where it is decoded
    return list(cast("Sequence[Image]", images))


def _batches(images: Sequence[Image], size: int) -> Iterator[Sequence[Image]]:
    for start in range(0, len(images), size):
        yield images[start : start + size]


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
