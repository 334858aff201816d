"""Rows of a viewing history: a file of CSV, JSON lines or Parquet, read row by row."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.producers.history_mapping import HistoryMapping
from jobs.producers.history_values import RefusedValueError, Row
from jobs.runtime.errors import ServiceError, SettingsError, first_line

SUFFIXES = {
    **{".csv": "csv", ".tsv": "csv", ".txt": "csv"},
    **{".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"},
    ".parquet": "parquet",
}
LARGEST_CELL = 2**20  # the largest record that refine reads


def rows_of(file: Path, mapping: HistoryMapping) -> Iterator[Row | RefusedValueError]:
    """Read the rows of a file one by one, or why one cannot be read.

    Args:
        file: the file; text may be compressed with gzip (.gz).
        mapping: mapping that says how it is read, and which columns it must have.

    Yields:
        The cells of each row by column, or the error of a row that cannot be read.

    Raises:
        SettingsError: the format is unknown, or the file lacks a column of the mapping.
        ServiceError: the file cannot be read.
    """
    form = mapping.file.format or SUFFIXES.get(_suffix(file))
    if form is None:
        raise SettingsError(
            f"{file}: no format is known by this name", "add format: csv, jsonl or parquet"
        )
    try:
        if form == "parquet":
            yield from _parquet(file, mapping)
            return
        with _opened(file, mapping.file.encoding) as lines:
            reader = _csv(lines, file, mapping) if form == "csv" else _json_lines(lines)
            yield from reader
    except (OSError, csv.Error, UnicodeError, LookupError, pa.ArrowException) as error:
        raise ServiceError(
            f"{file} cannot be read: {first_line(error)}",
            "name a file of rows; the mapping's format, delimiter and encoding must be its own",
        ) from None


def _suffix(file: Path) -> str:
    """The suffix of a file's name, lower case, without that of gzip."""
    named = file.with_suffix("") if file.suffix.lower() == ".gz" else file
    return named.suffix.lower()


def _opened(file: Path, encoding: str) -> IO[str]:
    """Open a text file, compressed or not."""
    if file.suffix.lower() == ".gz":
        return gzip.open(file, "rt", encoding=encoding, newline="")
    return file.open(encoding=encoding, newline="")


def _csv(
    lines: Iterable[str], file: Path, mapping: HistoryMapping
) -> Iterator[Row | RefusedValueError]:
    """Yield the rows of CSV whose first line names the columns."""
    csv.field_size_limit(LARGEST_CELL)
    cells = csv.reader(lines, delimiter=mapping.file.delimiter)
    names = [name.strip() for name in next(cells, [])]
    _require(names, file, mapping)
    for row in cells:
        if len(row) == len(names):
            yield dict(zip(names, row, strict=True))
        elif row:
            yield RefusedValueError(
                f"a row of other than {len(names)} cells, as the heading has", f"{len(row)} cells"
            )


def _json_lines(lines: Iterable[str]) -> Iterator[Row | RefusedValueError]:
    """Yield the rows of JSON lines, decimals exact."""
    for line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_float=Decimal)
        except (ValueError, RecursionError):
            yield RefusedValueError("a line that is no JSON", line.strip())
            continue
        yield row if isinstance(row, dict) else RefusedValueError("no JSON object", line.strip())


def _parquet(file: Path, mapping: HistoryMapping) -> Iterator[Row]:
    """Yield the rows of a Parquet file."""
    with pq.ParquetFile(file) as table:
        _require(table.schema_arrow.names, file, mapping)
        for batch in table.iter_batches(batch_size=4096):
            yield from batch.to_pylist()


def _require(names: list[str], file: Path, mapping: HistoryMapping) -> None:
    """Stop if the file lacks a column of the mapping.

    Raises:
        SettingsError: it does, or two columns have one name.
    """
    lacking = sorted(mapping.columns - set(names) - {n for n in mapping.columns if "." in n})
    if lacking:
        raise SettingsError(
            f"{file} has no column '{lacking[0]}'", f"map one of its own: {', '.join(names)}"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SettingsError(f"{file} has two columns '{twice}'", "rename one of them")


def content(row: Row, names: Iterable[str] | None) -> str:
    """The content of a row as text, whatever the order of its columns.

    Args:
        row: the row.
        names: columns that name the row; None: all.
    """
    told: dict[str, Any] = dict(row) if names is None else {name: row.get(name) for name in names}
    return json.dumps(told, sort_keys=True, default=str, separators=(",", ":"))
