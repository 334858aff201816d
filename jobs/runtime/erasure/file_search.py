"""The proof of an erasure: search every file below a folder for a user's id.

Parquet is decoded, for compression and dictionaries hide bytes: the strings and bytes of every
column, at any depth, and the bounds in its footer. Other files are searched as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transforms.silver.erasure import pattern

CHUNK = 16 * 2**20
EDGE = 256  # bytes of overlap between chunks: longer than an id and the characters beside it


@dataclass(frozen=True)
class Find:
    """A file that holds the id.

    Attributes:
        file: path relative to the folder.
        where: name of the column of a Parquet file; `bytes` of other files.
    """

    file: str
    where: str


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        files: number of files searched.
        size: their size in bytes.
        finds: files that hold the id, one entry for each column.
    """

    files: int
    size: int
    finds: tuple[Find, ...]


def search_files(root: Path, user: str, *, without: Collection[Path] = ()) -> SearchResult:
    """Search every file below a folder for a user's id.

    Args:
        root: folder to search.
        user: id of the user.
        without: files and folders to leave out.
    """
    files, size, finds = 0, 0, []
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        if any(file.is_relative_to(path) for path in without):
            continue
        with suppress(FileNotFoundError):  # it was deleted after it was listed
            places = _columns(file, user) if file.suffix == ".parquet" else _bytes(file, user)
            files, size = files + 1, size + file.stat().st_size
            finds += [Find(str(file.relative_to(root)), where) for where in places]
    return SearchResult(files, size, tuple(finds))


def _columns(file: Path, user: str) -> list[str]:
    """The columns of a Parquet file that hold the id, in values or in the footer's bounds."""
    found = set()
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches():
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                found |= {name for leaf in _leaves(column) if _is_in(leaf, user)}
        groups = (parquet.metadata.row_group(i) for i in range(parquet.metadata.num_row_groups))
        for group in groups:
            for column in (group.column(i) for i in range(group.num_columns)):
                if _in_bounds(column.statistics, user):
                    found.add(column.path_in_schema.split(".")[0])
    return sorted(found)


def _leaves(column: pa.Array) -> Iterator[pa.Array]:
    """The arrays of strings and bytes inside a column, at any depth.

    Yields:
        Arrays of bytes.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _leaves(column.dictionary)
    elif pa.types.is_struct(kind):
        for child in column.flatten():
            yield from _leaves(child)
    elif pa.types.is_map(kind):
        yield from _leaves(column.keys)
        yield from _leaves(column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _leaves(column.flatten())
    elif pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        yield column.cast(pa.binary()) if not pa.types.is_binary(kind) else column


def _is_in(values: pa.Array, user: str) -> bool:
    """Whether any value of an array of bytes holds the id."""
    likely = values.filter(pc.fill_null(pc.match_substring(values, user.encode()), False))
    return any(_pattern_of(user).search(value) for value in likely.unique().to_pylist())


def _in_bounds(statistics: pq.Statistics | None, user: str) -> bool:
    """Whether the least or the greatest value in a footer's statistics holds the id."""
    if statistics is None or not statistics.has_min_max:
        return False
    bounds = (statistics.min_raw, statistics.max_raw)
    return any(isinstance(b, bytes) and _pattern_of(user).search(b) for b in bounds)


def _bytes(file: Path, user: str) -> list[str]:
    """The place of the id in a file that is searched as it is: `bytes`, or nothing."""
    with file.open("rb") as opened:
        before = b""
        while chunk := opened.read(CHUNK):
            if _pattern_of(user).search(before + chunk):
                return ["bytes"]
            before = chunk[-EDGE:]
    return []


def _pattern_of(user: str) -> re.Pattern[bytes]:
    """The compiled pattern, over bytes, of a text that holds the id."""
    return re.compile(pattern(user).encode())
