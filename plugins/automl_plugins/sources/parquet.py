"""Tables in Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from automl.errors import DataError
from automl_plugins.sources.table import Row, TableSource, require_columns


class ParquetSource(TableSource):
    """Reads Parquet files, such as data frames are saved in."""

    name = "parquet"
    endings = (".parquet",)

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the rows by their number, from 1.

        Raises:
            DataError: If it is no Parquet file, or lacks columns for paths and classes.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                columns = [
                    field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)
                ]
                require_columns(columns, path)
                number = 0
                for batch in file.iter_batches(columns=columns):
                    for row in batch.to_pylist():
                        number += 1
                        yield f"{path} row {number}", _readable(row)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"expected a table in Parquet, found {path} unreadable "
                f"({' '.join(str(error).split())[:200]}); write it again."
            ) from error


def _readable(row: dict[str, object]) -> dict[str, object] | str:
    for column, value in row.items():
        if isinstance(value, bytes):
            return f"bytes and no text as its {column}"
    return row
