"""Varied copies of training images, written to disk by imgaug pipelines."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from automl.data.dataset import Dataset
from automl.data.groups import GROUP
from automl.errors import ImageError, UsageError
from automl.files import replacing
from automl.hardware import cores
from automl.images import decode, encode_png
from automl.imgaug_numpy2 import augmenters
from automl.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

PARENT = "parent"
"""The column of a copy's image's id."""

_AT_ONCE = 256
"""Copies under way together: enough to keep all cores busy."""

logger = logging.getLogger(__name__)


def augment_dataset(
    dataset: Dataset,
    pipelines: Sequence[Any],
    folder: str | os.PathLike[str] | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Returns the dataset with a varied copy of each training image for each pipeline.

    Each pipeline gets whole images in their own size, one at a time. Where images say which split
    they belong to, only those of `train` are copied. Copies are PNG files named by their content,
    the same for the same seed however many cores there are. They have their image's label, its id
    in the column `parent`, and both have the same value in the column `group`.

    Args:
        dataset: Its images; those that cannot be read get no copies, with a warning.
        pipelines: imgaug augmenters, such as `automl.augmenters().Fliplr(0.5)`; a
            `Sequential` of several is one pipeline.
        folder: Where the copies go; `augmented/` in the workspace if left out.
        seed: 0 or more.
        progress: Called with the copies done so far, and how many there will be.

    Raises:
        UsageError: If a pipeline is no imgaug augmenter, fails, or returns no RGB image.
        PluginError: If imgaug cannot be imported.
    """
    pipelines = checked_pipelines(pipelines)
    place = Workspace.find().root / "augmented" if folder is None else Path(folder).absolute()
    dataset = dataset.with_ids()
    splits = dataset.table.column("split").to_pylist()
    rows = [row for row, split in enumerate(splits) if split in (None, "", "train")]
    paths, parents = dataset.paths, dataset.ids

    def copy(task: tuple[int, int]) -> tuple[str, str]:
        number, row = task
        source = [seed, number, int(parents[row], 16)]
        try:
            image = decode(paths[row])
        except ImageError as error:
            return "", str(error)
        varied = vary(pipelines[number], image, source, paths[row])
        return _written(varied, place)

    made: list[tuple[int, str, str]] = []
    failures: list[str] = []
    tasks = list(itertools.product(range(len(pipelines)), rows))
    for done, ((_, row), (identity, path)) in enumerate(_in_threads(copy, tasks), 1):
        if identity:
            made.append((row, identity, path))
        else:
            failures.append(path)
        if progress is not None:
            progress(done, len(tasks))
    if failures:
        logger.warning("copies left out: %d; the first: %s", len(failures), failures[0])
    return _with_copies(dataset, made)


def checked_pipelines(pipelines: Any) -> list[Any]:
    """Returns the pipelines as a list.

    Raises:
        UsageError: If they are anything else than some imgaug augmenters.
    """
    base = augmenters().Augmenter
    if isinstance(pipelines, base):  # a Sequential is a list too, of what is one pipeline
        raise UsageError(
            "expected a list of imgaug pipelines, found a single one; put it in brackets."
        )
    found = list(pipelines) if isinstance(pipelines, Sequence) else [pipelines]
    if not found:
        raise UsageError("expected one imgaug pipeline or more, found none; add one.")
    for number, pipeline in enumerate(found, 1):
        if not isinstance(pipeline, base):
            hint = "call it" if callable(pipeline) else "make one by automl.augmenters()"
            raise UsageError(
                f"expected imgaug augmenters as pipelines, found {pipeline!r} as number {number}; "
                f"{hint}."
            )
    return found


def vary(pipeline: Any, image: Image, seed: Sequence[int], name: str = "an image") -> Image:
    """Returns what a pipeline makes of one uint8 image `[H, W, 3]`, by the seed alone.

    Raises:
        UsageError: If it fails or returns something else.
    """
    # An augmenter carries its generators along, so each image has its own.
    own = pipeline.deepcopy()
    own.seed_(int(np.random.SeedSequence(seed).generate_state(1)[0] >> 1))
    try:
        varied = own.augment_image(image.copy())
    except Exception as error:  # a pipeline may run code of any kind
        raise UsageError(
            f"expected the pipeline {pipeline.name} to vary {name}, found "
            f"{type(error).__name__}: {error}; correct the pipeline."
        ) from error
    found = np.asarray(varied)
    if found.dtype != np.uint8 or found.ndim != 3 or found.shape[-1] != 3 or not found.size:
        raise UsageError(
            f"expected the pipeline {pipeline.name} to return uint8 [height, width, 3], found "
            f"{found.dtype} {list(found.shape)} for {name}; correct the pipeline."
        )
    return found


def _in_threads(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yields each task and its result, in order."""
    with ThreadPoolExecutor(cores()) as pool:
        try:
            for start in range(0, len(tasks), _AT_ONCE):
                chunk = tasks[start : start + _AT_ONCE]
                yield from zip(chunk, pool.map(work, chunk), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _written(image: Image, place: Path) -> tuple[str, str]:
    """Writes an image under its content's id, and returns the id and the path."""
    content = encode_png(image)
    identity = hashlib.sha256(content).hexdigest()[:16]
    path = place / f"{identity}.png"
    if not path.exists():
        with replacing(path) as file:
            file.write(content)
    return identity, str(path)


def _with_copies(dataset: Dataset, made: Sequence[tuple[int, str, str]]) -> Dataset:
    table, count = dataset.table, len(dataset)
    groups: list[str | None] = [None] * count
    if GROUP in table.column_names:
        groups = table.column(GROUP).to_pylist()
    copied = {row for row, _, _ in made}
    groups = [
        (group or identity) if row in copied else group
        for row, (group, identity) in enumerate(zip(groups, dataset.ids, strict=True))
    ]
    table = _with_column(table, GROUP, groups)
    if PARENT not in table.column_names:
        table = _with_column(table, PARENT, [None] * count)
    copies = table.take(pa.array([row for row, _, _ in made], pa.int64()))
    copies = _with_column(copies, PARENT, copies.column("id").to_pylist())
    copies = _with_column(copies, "id", [identity for _, identity, _ in made])
    copies = _with_column(copies, "path", [path for _, _, path in made])
    return Dataset(pa.concat_tables([table, copies]), dataset.labels, dataset.rejected)


def _with_column(table: pa.Table, name: str, values: Sequence[str | None]) -> pa.Table:
    column = pa.array(values, pa.string())
    if name in table.column_names:
        return table.set_column(table.schema.get_field_index(name), name, column)
    return table.append_column(name, column)
