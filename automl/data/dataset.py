"""A dataset: labelled images as a table, none of them in memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from automl.components import ImageRecord, Rejected
from automl.data.rows import LabelledImage, Rows, escaped, read_rows
from automl.errors import DataError, UsageError
from automl.plugins import plugin_manager
from automl.workspace import Workspace

__all__ = ["Dataset", "LabelledImage", "escaped"]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Dataset:
    """Labelled images as a pyarrow table with a row an image, and none of them in memory.

    Its columns are path, label, id, split, origin and name, and whatever else the source knows.
    A dataset does not change; `filter`, `merge`, `split` and the like return new ones. Parts
    keep the full list of classes, so that class numbers mean the same in every part.

    Attributes:
        table: The pyarrow table, a row an image.
        labels: The classes, sorted; the position is the class number.
        rejected: Why rows of the source were left out, a sentence each.
    """

    def __init__(
        self,
        table: pa.Table,
        labels: Sequence[str] | None = None,
        rejected: Sequence[str] = (),
    ) -> None:
        self.table = table
        if labels is None:
            labels = sorted(pc.unique(table.column("label")).to_pylist())
        self.labels = tuple(labels)
        self.rejected = tuple(rejected)

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str]) -> Dataset:
        """Reads a folder of class folders, following symbolic links.

        Raises:
            DataError: If the folder is missing or holds no class folders with images.
        """
        source = plugin_manager().image_sources["folder"]
        return cls.from_records(source.read(os.fspath(folder), Workspace.locate().sources))

    @classmethod
    def from_source(
        cls,
        location: str | os.PathLike[str],
        workspace: Workspace | str | os.PathLike[str] | None = None,
        options: Mapping[str, str] = MappingProxyType({}),
        progress: Callable[[int], None] | None = None,
    ) -> Dataset:
        """Reads whatever the first image source that accepts `location` finds there.

        Args:
            location: A folder, table, archive or whatever else a source reads; or a dataset of
                the workspace, as `NAME` or `NAME@VERSION`.
            workspace: Keeps what must be unpacked or downloaded; see `Workspace.find`.
            options: The source's own, such as `{"provider": "flickr"}` for a query file.
            progress: Called with the rows read so far.

        Raises:
            DataError: If no installed image source accepts it, or nothing there can be used.
            UsageError: If it names both a dataset and a path, or the source knows no such option.
        """
        from automl.data.store import find_named

        where, place = _workspace(workspace), os.fspath(location)
        named = find_named(where, place)
        if named is not None:
            if options:
                raise UsageError(
                    f"expected no options for {place}, which is a dataset already, found "
                    f"{', '.join(options)}; leave them out."
                )
            return named
        for source in plugin_manager().image_sources:
            if source.accepts(place):
                records = source.configured(options, where.variable).read(place, where.sources)
                return cls.from_records(_counted(records, progress) if progress else records)
        if not Path(place).exists():
            raise DataError(
                f"expected a folder of class folders, a table or an archive of images, or the "
                f"name of a dataset, found nothing at {place}; check the path."
            )
        raise DataError(
            f"expected a folder of class folders, a table or an archive of images, found "
            f"{place}, which no installed image source reads "
            f"({', '.join(plugin_manager().image_sources.names())}); see `automl plugins list`."
        )

    @classmethod
    def from_arrays(
        cls,
        x: NDArray[np.uint8],
        y: NDArray[np.int64],
        labels: Sequence[str] | None = None,
        workspace: Workspace | str | os.PathLike[str] | None = None,
    ) -> Dataset:
        """Writes pictures as PNG files into the workspace, once, and makes a dataset of them.

        Args:
            x: uint8 `[N, H, W]`, `[N, H, W, 1]` or `[N, H, W, 3]`, 0..255, as Keras' own
                datasets are.
            y: Class numbers, `[N]` or `[N, 1]`.
            labels: Names by class number; the numbers themselves if left out.
            workspace: Keeps the files; see `Workspace.find`.

        Raises:
            DataError: If the arrays are something else.
        """
        from automl.data.arrays import written

        return cls.from_records(written(x, y, labels, _workspace(workspace).sources))

    @classmethod
    def from_records(cls, records: Iterable[ImageRecord | Rejected]) -> Dataset:
        """Makes a dataset of what an image source yields.

        A file whose name is no UTF-8 has it escaped in `paths`; decoding will report it.

        Raises:
            DataError: If a class's name is no UTF-8, or every row was rejected.
        """
        table, rejected = read_rows(records)
        if rejected and not len(table):
            raise DataError(
                f"expected rows that can be used, found none in {len(rejected):,}; the first: "
                f"{rejected[0]}"
            )
        return cls(table, rejected=rejected)

    @classmethod
    def from_parquet(cls, path: str | os.PathLike[str]) -> Dataset:
        """Reads what `to_parquet` wrote.

        Raises:
            DataError: If the file is missing or is something else.
        """
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path)
            metadata = table.schema.metadata
            rejected = json.loads(metadata.get(b"rejected", b"[]"))
            return cls(table, json.loads(metadata[b"labels"]), rejected)
        except (OSError, pa.ArrowException, TypeError, KeyError, ValueError) as error:
            raise DataError(
                f"expected a dataset in Parquet, found {path} unreadable "
                f"({' '.join(str(error).split())}); write it again."
            ) from error

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Writes the table and the classes, without any image."""
        import pyarrow.parquet as pq

        metadata = {
            "labels": json.dumps(self.labels, ensure_ascii=False),
            "rejected": json.dumps(self.rejected, ensure_ascii=False),
        }
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

        column = self.table.column("label").combine_chunks()
        numbers = pc.index_in(column, pa.array(self.labels, pa.string()))
        return numbers.to_numpy(zero_copy_only=False).astype(np.int64)  # type: ignore[no-any-return]

    @property
    def images(self) -> Sequence[LabelledImage]:
        """The rows, as a sequence."""
        return Rows(self.table)

    @property
    def counts(self) -> Mapping[str, int]:
        """Images by class, in the order of `labels`; classes without images are 0."""
        found = pc.value_counts(self.table.column("label")).to_pylist()
        return {**dict.fromkeys(self.labels, 0), **{row["values"]: row["counts"] for row in found}}

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
        if not pc.any(pc.equal(self.table.column("id"), "")).as_py():
            return self
        with ThreadPoolExecutor() as pool:
            ids = list(pool.map(_content_id, self.paths, chunksize=64))
        return Dataset(self._with("id", pa.array(ids, pa.string())), self.labels, self.rejected)

    def present(self) -> Dataset:
        """Returns the rows whose files are there; the others become sentences in `rejected`.

        Raises:
            DataError: If none is there.
        """
        there = [os.path.isfile(path) for path in self.paths]  # noqa: PTH113 - a million of them
        if all(there):
            return self
        gone = [
            f"expected an image file at {path}, found nothing (class {label!r}); correct it."
            for path, label, found in zip(
                self.paths, self.table.column("label").to_pylist(), there, strict=True
            )
            if not found
        ]
        if not any(there):
            raise DataError(
                f"expected images, found none at any of {len(there):,} paths; the first: {gone[0]}"
            )
        return Dataset(self.table.filter(pa.array(there)), None, [*self.rejected, *gone])

    def with_absolute_paths(self) -> Dataset:
        """Returns the dataset with paths that mean the same from everywhere."""
        paths = [os.path.abspath(path) for path in self.paths]  # noqa: PTH100 - keeps links
        return Dataset(self._with("path", pa.array(paths, pa.string())), self.labels, self.rejected)

    def select(self, indices: Sequence[int] | NDArray[np.int64]) -> Dataset:
        """Returns the rows at `indices`, in that order."""
        return Dataset(self.table.take(pa.array(indices, pa.int64())), self.labels)

    def relabelled(self, labels: Sequence[str]) -> Dataset:
        """Returns the dataset with class numbers that follow `labels`.

        Raises:
            DataError: If an image's class is not in `labels`.
        """
        unknown = sorted(set(pc.unique(self.table.column("label")).to_pylist()) - set(labels))
        if unknown:
            raise DataError(
                f"expected only the classes {_listed(labels)}, found {_listed(unknown)} too; "
                f"rename or remove those folders."
            )
        return Dataset(self.table, labels)

    def followed_by(self, other: Dataset) -> Dataset:
        """Returns this dataset's rows and then those of `other`, which has the same labels."""
        tables = [self.table, other.table]
        return Dataset(pa.concat_tables(tables, promote_options="default"), self.labels)

    def merge(self, *others: Dataset) -> Dataset:
        """Returns the rows of all, with the classes of all."""
        tables = [each.table for each in (self, *others)]
        labels = sorted({label for each in (self, *others) for label in each.labels})
        return Dataset(pa.concat_tables(tables, promote_options="default"), labels)

    def filter(
        self,
        condition: pc.Expression | None = None,
        **columns: str | Collection[str] | None,
    ) -> Dataset:
        """Returns the rows that meet all conditions, as `filter(label="cat", split=("val", None))`.

        Args:
            condition: An expression of `pyarrow.compute`, such as
                `pc.starts_with(pc.field("origin"), "http")`.
            **columns: By column, the value or values that are wanted.

        Raises:
            UsageError: If there is no such column.
        """
        self._require_columns(columns)
        conditions = [] if condition is None else [condition]
        for name, wanted in columns.items():
            values = [wanted] if wanted is None or isinstance(wanted, str) else list(wanted)
            conditions.append(pc.field(name).isin(pa.array(values, pa.string())))
        table = self.table
        for each in conditions:
            table = table.filter(each)
        return Dataset(table, self.labels)

    def relabel(self, names: Mapping[str, str]) -> Dataset:
        """Returns the dataset with classes renamed; two that get one name become one class.

        Raises:
            UsageError: If there is no such class.
        """
        unknown = sorted(set(names) - set(self.labels))
        if unknown:
            raise UsageError(
                f"expected classes of this dataset ({_listed(self.labels)}), found "
                f"{_listed(unknown)}; correct it."
            )
        new = [names.get(label, label) for label in self.labels]
        labels = pa.array(new, pa.string()).take(pa.array(self.y))
        return Dataset(self._with("label", labels), sorted(set(new)))

    def split(
        self,
        train_size: float = 0.66,
        stratify: bool = True,
        seed: int = 0,
        group: str | None = None,
    ) -> tuple[Dataset, Dataset]:
        """Splits at random into two parts, the same for the same seed.

        Files of the same content are in the same part.

        Args:
            train_size: The first part's share, between 0 and 1.
            stratify: Whether both parts keep the classes' shares.
            seed: 0 or more.
            group: A column; images with the same value in it are in the same part.

        Raises:
            DataError: If a class has too few images to be in both parts.
            UsageError: If there is no such column.
        """
        from automl.data.groups import group_numbers
        from automl.data.splits import train_test_rows

        columns = [] if group is None else [group]
        self._require_columns(columns)
        groups = group_numbers(self, columns)
        # Classes that a filter has left without images have nothing to split.
        there = Dataset(self.table)
        train, test = train_test_rows(there, train_size, stratify, seed, groups)
        return self.select(train), self.select(test)

    def _with(self, name: str, values: pa.Array) -> pa.Table:
        return self.table.set_column(self.table.schema.get_field_index(name), name, values)

    def _require_columns(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.table.column_names:
                raise UsageError(
                    f"expected a column of this dataset ({', '.join(self.table.column_names)}), "
                    f"found {name!r}; correct it."
                )


def _counted(
    records: Iterable[ImageRecord | Rejected], progress: Callable[[int], None]
) -> Iterator[ImageRecord | Rejected]:
    for number, record in enumerate(records, 1):
        yield record
        progress(number)


def _workspace(workspace: Workspace | str | os.PathLike[str] | None) -> Workspace:
    return workspace if isinstance(workspace, Workspace) else Workspace.locate(workspace)


def _content_id(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return hashlib.sha256(b"unreadable " + os.fsencode(path)).hexdigest()[:16]


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
