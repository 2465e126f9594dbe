"""A dataset: labelled images as a table, none of them in memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

import pyarrow as pa

from automl.components import ImageRecord
from automl.errors import DataError
from automl.plugins import plugin_manager

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelledImage:
    """One row of a dataset.

    Attributes:
        path: The image file.
        label: Its class.
        id: The first 16 hexadecimal digits of its content's SHA-256; empty if not read yet.
    """

    path: Path
    label: str
    id: str


class Dataset:
    """Labelled images as a pyarrow table with the columns path, label, id, split and origin.

    A dataset does not change; `select`, `split` and `with_ids` return new ones. All of them
    keep the full list of classes, so that class numbers mean the same in every part.

    Attributes:
        table: The pyarrow table, a row an image.
        labels: The classes, sorted; the position is the class number.
    """

    def __init__(self, table: pa.Table, labels: Sequence[str] | None = None) -> None:
        self.table = table
        if labels is None:
            labels = sorted(set(table.column("label").to_pylist()))
        self.labels = tuple(labels)

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str]) -> Dataset:
        """Reads a folder of class folders, following symbolic links.

        Raises:
            DataError: If the folder is missing or holds no class folders with images.
        """
        return cls.from_records(plugin_manager().image_sources["folder"].read(os.fspath(folder)))

    @classmethod
    def from_source(cls, location: str | os.PathLike[str]) -> Dataset:
        """Reads whatever the first image source that accepts `location` finds there.

        Raises:
            DataError: If no installed image source accepts it.
        """
        place = os.fspath(location)
        for source in plugin_manager().image_sources:
            if source.accepts(place):
                return cls.from_records(source.read(place))
        if not Path(place).exists():
            raise DataError(
                f"expected a folder of class folders, found nothing at {place}; check the path."
            )
        raise DataError(
            f"expected a folder of class folders, found {place}, which no installed image "
            f"source reads ({', '.join(plugin_manager().image_sources.names())}); see "
            f"`automl plugins list`."
        )

    @classmethod
    def from_records(cls, records: Iterable[ImageRecord]) -> Dataset:
        """Makes a dataset of what an image source yields.

        A file whose name is no UTF-8 has it escaped in `paths`; decoding will report it.

        Raises:
            DataError: If a class's name is no UTF-8.
        """
        rows = list(records)
        for label in {row.label for row in rows}:
            if escaped(label) != label:
                raise DataError(
                    f"expected class names in UTF-8, found {escaped(label)}; rename it."
                )
        return cls(
            pa.table(
                {
                    "path": pa.array([escaped(row.path) for row in rows], pa.string()),
                    "label": pa.array([row.label for row in rows], pa.string()),
                    "id": pa.array([""] * len(rows), pa.string()),
                    "split": pa.array([row.split for row in rows], pa.string()),
                    "origin": pa.array([row.origin for row in rows], pa.string()),
                }
            )
        )

    @classmethod
    def from_parquet(cls, path: str | os.PathLike[str]) -> Dataset:
        """Reads what `to_parquet` wrote.

        Raises:
            DataError: If the file is missing or is something else.
        """
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
            return cls(table, json.loads(table.schema.metadata[b"labels"]))
        except (OSError, pa.ArrowException, TypeError, KeyError, ValueError) as error:
            raise DataError(
                f"expected a dataset in Parquet, found {path} unreadable "
                f"({' '.join(str(error).split())}); write it again."
            ) from error

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Writes the table and the classes, without any image."""
        import pyarrow.parquet as pq

        metadata = {"labels": json.dumps(self.labels, ensure_ascii=False)}
        pq.write_table(self.table.replace_schema_metadata(metadata), path)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"Dataset({len(self)} images, {len(self.labels)} classes)"

    @property
    def paths(self) -> list[str]:
        """The image files, in the dataset's order."""
        paths: list[str] = self.table.column("path").to_pylist()
        return paths

    @property
    def ids(self) -> list[str]:
        """What identifies each image's content, reading the files if needed."""
        ids: list[str] = self.with_ids().table.column("id").to_pylist()
        return ids

    @property
    def y(self) -> NDArray[np.int64]:
        """Class numbers `[N]`, positions in `labels`."""
        import numpy as np

        number = {label: i for i, label in enumerate(self.labels)}
        return np.array([number[v] for v in self.table.column("label").to_pylist()], np.int64)

    @property
    def images(self) -> Sequence[LabelledImage]:
        """The rows, as a sequence."""
        return _Rows(self.table)

    @property
    def counts(self) -> Mapping[str, int]:
        """Images by class, in the order of `labels`; classes without images are 0."""
        counts = dict.fromkeys(self.labels, 0)
        for label in self.table.column("label").to_pylist():
            counts[label] += 1
        return counts

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of the labels and the contents, whatever the order and paths."""
        rows = zip(
            self.table.column("label").to_pylist(),
            self.with_ids().table.column("id").to_pylist(),
            strict=True,
        )
        digest = hashlib.sha256()
        for label, identity in sorted(rows):
            digest.update(f"{identity} {label}\n".encode())
        return digest.hexdigest()

    def with_ids(self) -> Dataset:
        """Returns the dataset with every image's content id, reading the files if needed.

        A file that cannot be read has the id of its path; decoding will report it.
        """
        column = self.table.column("id").to_pylist()
        if all(column):
            return self
        with ThreadPoolExecutor() as pool:
            ids = list(pool.map(_content_id, self.paths, chunksize=64))
        index = self.table.schema.get_field_index("id")
        return Dataset(self.table.set_column(index, "id", pa.array(ids, pa.string())), self.labels)

    def select(self, indices: Sequence[int] | NDArray[np.int64]) -> Dataset:
        """Returns the rows at `indices`, in that order."""
        return Dataset(self.table.take(pa.array(indices, pa.int64())), self.labels)

    def relabelled(self, labels: Sequence[str]) -> Dataset:
        """Returns the dataset with class numbers that follow `labels`.

        Raises:
            DataError: If an image's class is not in `labels`.
        """
        unknown = sorted(set(self.table.column("label").to_pylist()) - set(labels))
        if unknown:
            raise DataError(
                f"expected only the classes {_listed(labels)}, found {_listed(unknown)} too; "
                f"rename or remove those folders."
            )
        return Dataset(self.table, labels)

    def followed_by(self, other: Dataset) -> Dataset:
        """Returns this dataset's rows and then those of `other`, which has the same labels."""
        return Dataset(pa.concat_tables([self.table, other.table]), self.labels)

    def split(
        self, train_size: float = 0.66, stratify: bool = True, seed: int = 0
    ) -> tuple[Dataset, Dataset]:
        """Splits at random into two parts, the same for the same seed.

        Args:
            train_size: The first part's share, between 0 and 1.
            stratify: Whether both parts keep the classes' shares.
            seed: 0 or more.

        Raises:
            DataError: If a class has too few images to be in both parts.
        """
        from automl.data.splits import train_test_rows

        train, test = train_test_rows(self, train_size, stratify, seed)
        return self.select(train), self.select(test)


class _Rows(Sequence[LabelledImage]):
    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @overload
    def __getitem__(self, index: int) -> LabelledImage: ...
    @overload
    def __getitem__(self, index: slice) -> list[LabelledImage]: ...
    def __getitem__(self, index: int | slice) -> LabelledImage | list[LabelledImage]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"expected an index below {len(self)}, found {index}")
        row = self._table.slice(index % len(self), 1).to_pylist()[0]
        return LabelledImage(Path(row["path"]), row["label"], row["id"])

    def __iter__(self) -> Iterator[LabelledImage]:
        for batch in self._table.to_batches():
            for row in batch.to_pylist():
                yield LabelledImage(Path(row["path"]), row["label"], row["id"])


def escaped(name: str | os.PathLike[str]) -> str:
    r"""Returns a file's name as text, with bytes that are no UTF-8 written as `\xe9`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _content_id(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return hashlib.sha256(b"unreadable " + os.fsencode(path)).hexdigest()[:16]


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
