"""Expectations: conf/expectations/<table>.yaml, read and validated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.runtime.conf_files import CONF_DIR, Section, parse, read_yaml
from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.tables import TABLES
from transforms.quality import history
from transforms.quality import measures as m

FOLDER = CONF_DIR / "expectations"
Opened = Callable[[str], DataFrame]
Measure = float | str | None
Bounds = tuple[float | None, float | None]
Suite = Sequence["Expectation"]


class Expectation(Section):
    """One condition that a table must satisfy.

    Attributes:
        severity: a `blocker` that fails stops what depends on the table; a `warning` is only
            reported.
        why: the consequence of a failure, in words.
    """

    kind: ClassVar[str]
    severity: Literal["blocker", "warning"]
    why: str = Field(min_length=1)

    @property
    def about(self) -> str:
        """The columns or the SQL condition that it is about.

        Returns:
            Their text; empty if it is about the whole table.
        """
        return ""

    @property
    def name(self) -> str:
        """The expectation's name, unique in its table."""
        return f"{self.kind}({self.about})"

    @property
    def bounds(self) -> Bounds:
        """The range of allowed measures.

        Returns:
            The least and the greatest, both included; None: unbounded.
        """
        return None, 0

    @property
    def columns_used(self) -> Sequence[str]:
        """Names of the columns that the table must declare."""
        return ()

    def aggregate(self, now: datetime) -> Column | None:
        """The measure as an aggregate over the table's rows.

        Args:
            now: the instant that ages are measured to.

        Returns:
            An aggregate column; None if the measure takes a query of its own.
        """
        del now
        return None

    def query(self, rows: DataFrame, opened: Opened) -> float | None:
        """The measure by a query of its own.

        Args:
            rows: the table's rows.
            opened: function from a table's name to its rows.

        Returns:
            The measure; None if there is nothing to measure.
        """
        raise NotImplementedError


class Schema(Expectation):
    """Columns and types equal those that jobs.runtime.lake.tables declares."""

    kind = "schema"


class Rows(Expectation):
    """The table has at least `at_least` rows."""

    kind = "rows"
    at_least: int = Field(gt=0)

    @property
    def bounds(self) -> Bounds:
        """See `Expectation`."""
        return self.at_least, None

    def aggregate(self, now: datetime) -> Column:
        """See `Expectation`."""
        return F.count(F.lit(1))


class Unique(Expectation):
    """No two rows have the same key."""

    kind = "unique"
    columns: tuple[str, ...] = Field(min_length=1)

    @property
    def about(self) -> str:
        """See `Expectation`."""
        return ", ".join(self.columns)

    @property
    def columns_used(self) -> Sequence[str]:
        """See `Expectation`."""
        return self.columns

    def aggregate(self, now: datetime) -> Column:
        """See `Expectation`."""
        return m.repeated_keys(self.columns)


class NotNull(Unique):
    """The columns are never null."""

    kind = "not_null"

    def aggregate(self, now: datetime) -> Column:
        """See `Expectation`."""
        return m.rows_with_null(self.columns)


class OfColumn(Expectation):
    """An expectation about one column."""

    column: str

    @property
    def about(self) -> str:
        """See `Expectation`."""
        return self.column

    @property
    def columns_used(self) -> Sequence[str]:
        """See `Expectation`."""
        return (self.column,)


class Range(OfColumn):
    """The column's values lie between `at_least` and `at_most`; null is allowed."""

    kind = "range"
    at_least: float | None = None
    at_most: float | None = None

    def aggregate(self, now: datetime) -> Column:
        """See `Expectation`."""
        return m.rows_outside(self.column, self.at_least, self.at_most)


class Condition(Expectation):
    """No row makes an SQL condition over its columns false."""

    kind = "condition"
    sql: str

    @property
    def about(self) -> str:
        """See `Expectation`."""
        return self.sql

    def aggregate(self, now: datetime) -> Column:
        """See `Expectation`."""
        return m.rows_breaking(self.sql)


class Reference(OfColumn):
    """The column's values exist in a column of another table.

    Attributes:
        table: the referenced table.
        to: the referenced column.
        at_most: share of values without a match that is allowed, from 0 to less than 1.
    """

    kind = "reference"
    table: str
    to: str
    at_most: float = Field(ge=0, lt=1)

    @property
    def bounds(self) -> Bounds:
        """See `Expectation`."""
        return None, self.at_most

    def query(self, rows: DataFrame, opened: Opened) -> float | None:
        """See `Expectation`."""
        [found] = m.orphans(rows, self.column, opened(self.table).select(self.to)).collect()
        return None if found.share is None else float(found.share)


class Freshness(OfColumn):
    """The newest instant of the column is at most `within_h` hours old."""

    kind = "freshness"
    within_h: float = Field(gt=0)

    @property
    def bounds(self) -> Bounds:
        """See `Expectation`."""
        return None, self.within_h

    def aggregate(self, now: datetime) -> Column:
        """See `Expectation`."""
        return m.age_h(self.column, now)


class Volume(OfColumn):
    """The last complete day has about as many rows as the days before it.

    Attributes:
        days: number of earlier days, whose median is compared with.
        at_least: least ratio to that median.
        at_most: greatest ratio to that median.
    """

    kind = "volume"
    days: int = Field(gt=1)
    at_least: float = Field(ge=0, lt=1)
    at_most: float = Field(gt=1)

    @property
    def bounds(self) -> Bounds:
        """See `Expectation`."""
        return self.at_least, self.at_most

    def query(self, rows: DataFrame, opened: Opened) -> float | None:
        """See `Expectation`."""
        return history.volume_ratio(_days(m.by_day(rows, self.column, F.lit(""))), self.days)


class Drift(OfColumn):
    """The distribution of a column's values is stable, by population stability index.

    Attributes:
        by: the date column.
        bins: for a number: the edges between bins, ascending.
        days: number of the newest days that are compared ...
        against_days: ... with this number of days before them.
        at_most: greatest index allowed.
        at_least_rows: rows that each side needs; with fewer there is no measure.
    """

    kind = "drift"
    by: str
    bins: tuple[float, ...] = ()
    days: int = Field(gt=0)
    against_days: int = Field(gt=0)
    at_most: float = Field(gt=0)
    at_least_rows: int = Field(default=500, gt=0)

    @property
    def columns_used(self) -> Sequence[str]:
        """See `Expectation`."""
        return self.column, self.by

    @property
    def bounds(self) -> Bounds:
        """See `Expectation`."""
        return None, self.at_most

    def query(self, rows: DataFrame, opened: Opened) -> float | None:
        """See `Expectation`."""
        value = m.bin_of(self.column, self.bins) if self.bins else F.col(self.column)
        days = _days(m.by_day(rows, self.by, value))
        return history.drift(days, self.days, self.against_days, self.at_least_rows)


KINDS: Mapping[str, type[Expectation]] = {
    each.kind: each
    for each in (
        *(Schema, Rows, Unique, NotNull, Range, Condition, Reference, Freshness, Volume, Drift),
    )
}


def load_expectations(folder: Path = FOLDER) -> dict[str, Suite]:
    """The expectations of a folder.

    Args:
        folder: folder of one YAML file a table.

    Returns:
        The expectations of each table, by its name.

    Raises:
        SettingsError: the folder does not exist or an expectation is invalid; one line.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder", "name one with expectations")
    return {file.stem: _suite(file) for file in sorted(folder.glob("*.yaml"))}


def schema_text(schema: StructType) -> str:
    """A schema as one line of names and types, without the nullability that Delta does not keep."""
    return ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in schema)


def _suite(file: Path) -> Suite:
    """The expectations of one file, whose name is that of the table.

    Raises:
        SettingsError: the table is unknown, or an expectation is invalid or repeated.
    """
    if file.stem not in TABLES:
        raise SettingsError(
            f"{file}: no table is called '{file.stem}'", f"name the file after: {', '.join(TABLES)}"
        )
    entries = read_yaml(file).get("expectations")
    if not isinstance(entries, list) or not entries:
        raise SettingsError(f"{file}: no list 'expectations'", "see docs/quality.md")
    suite = [_expectation(file, number, entry) for number, entry in enumerate(entries, 1)]
    names = [each.name for each in suite]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"{file}: {name} is expected twice", "keep one of them")
    return suite


def _expectation(file: Path, number: int, entry: Any) -> Expectation:
    """One validated entry of a file's list.

    Args:
        file: file that holds the entry.
        number: position in the list, from 1.
        entry: the entry as parsed from YAML.

    Raises:
        SettingsError: its kind, an option, a table or a column is unknown.
    """
    origin = f"{file}: expectation {number}"
    given = dict(entry) if isinstance(entry, dict) else {}
    kind = given.pop("expect", None)
    if kind not in KINDS:
        raise SettingsError(f"{origin}: unknown kind '{kind}'", f"use one of: {', '.join(KINDS)}")
    found = parse(KINDS[kind], given, origin=f"{origin} ({kind})")
    used = [(file.stem, name) for name in found.columns_used]
    if isinstance(found, Reference):
        used.append((found.table, found.to))
    for table, column in used:
        _require(table, column, f"{origin} ({kind})")
    return found


def _require(table: str, column: str, origin: str) -> None:
    """Stop if a table or column is not declared.

    Raises:
        SettingsError: it is not declared.
    """
    if table not in TABLES:
        raise SettingsError(
            f"{origin}: no table is called '{table}'", f"use one of: {', '.join(TABLES)}"
        )
    declared = TABLES[table].columns
    if column not in declared:
        raise SettingsError(
            f"{origin}: {table} has no column '{column}'", f"use one of: {', '.join(declared)}"
        )


def _days(counts: DataFrame) -> dict[date, dict[str, int]]:
    """The rows of `by_day` as counts by date and value."""
    days: dict[date, dict[str, int]] = {}
    for row in counts.collect():
        days.setdefault(row["day"], {})[row["value"]] = row["count"]
    return days
