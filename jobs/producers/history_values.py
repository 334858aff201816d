"""Values of a viewing history's cells, as the members of events: texts, numbers, times, lists."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, DecimalException
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from jobs.runtime.conf_files import Section
from jobs.runtime.errors import SettingsError
from transforms.contracts.contract import Node
from transforms.instants import rfc3339

Row = Mapping[str, Any]
Read = Callable[[Row], Any]
Scalar = str | bool | int | float

DIGEST_LENGTH = 32  # hexadecimal digits
LONGEST_SHOWN = 60
TRUTHS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
EPOCHS = {"unix_s": Decimal(1), "unix_ms": Decimal(1000)}  # units in a second
MICROS = 1_000_000


class RefusedValueError(ValueError):
    """A cell cannot be read as the member that it is mapped to.

    Attributes:
        problem: description without the cell's text, the same for all cells of a kind.
        shown: the cell's text, shortened.
    """

    def __init__(self, problem: str, text: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


class NumberMapping(Section):
    """A number of a row.

    Attributes:
        column: name of the column; of nested objects in JSON lines, a dotted path.
        scale: factor from the cell's unit to the contract's.
        clock: whether the cell is written as 1:24:13 or 24:13, and stands for seconds.
        round: direction of rounding to whole steps; None: not rounded.
        step: size of a step.
    """

    column: str | None = None
    scale: float = Field(default=1, gt=0)
    clock: bool = False
    round: Literal["down", "nearest"] | None = None
    step: float = Field(default=1, gt=0)


class ValueMapping(NumberMapping):
    """The value of one member of an event.

    Attributes:
        constant: value of all rows, in place of a column.
        values: value by the cell's text.
        others: what becomes of texts that `values` does not list.
        digest: whether the text is replaced by the start of its SHA-256.
        split: separator of the elements of a list.
        format: form of a time: a format of strptime, `iso`, `unix_s` or `unix_ms`.
        zone: IANA time zone of a time that states none; None: that of the file.
        plus: seconds to add to a time.
    """

    constant: Scalar | list[str] | datetime | date | None = None
    values: dict[str, Scalar] | None = None
    others: Literal["refuse", "keep", "absent"] = "refuse"
    digest: bool = False
    split: str | None = Field(default=None, min_length=1)
    format: str = "iso"
    zone: str | None = None
    plus: NumberMapping | None = None

    @property
    def columns(self) -> set[str]:
        """Names of the columns that it reads."""
        named = (self.column, self.plus.column if self.plus else None)
        return {name for name in named if name is not None}


class Condition(Section):
    """A condition on a row: its cell says something, or one of some texts, or a number.

    Attributes:
        column: name of the column.
        equals: texts of which the cell must be one; None: any.
        at_least: least number that the cell may hold; None: any.
    """

    column: str
    equals: tuple[str, ...] | None = None
    at_least: float | None = None


@dataclass(frozen=True)
class Absent:
    """Reader of cells that tells those that say nothing.

    Attributes:
        texts: texts that mean that nothing is known.
    """

    texts: frozenset[str]

    def cell(self, row: Row, column: str) -> Any:
        """The value of a cell, a text stripped of blanks at its ends.

        Returns:
            The value; None if it says nothing.
        """
        value = row.get(column)
        if value is None and "." in column:
            value = _nested(row, column)
        if isinstance(value, str):
            value = value.strip()
        return None if value is None or value == "" or value in self._unsaid(value) else value

    def _unsaid(self, value: Any) -> frozenset[str]:
        """The texts that mean nothing, for a text; none for others."""
        return self.texts if isinstance(value, str) else frozenset()


def condition_of(condition: Condition, absent: Absent) -> Callable[[Row], bool]:
    """Make the test of a row from a condition.

    Args:
        condition: the condition.
        absent: reader of cells.

    Returns:
        Function from a row to whether it satisfies the condition; a cell that says nothing, or is
        no number where one is asked for, does not.
    """

    def holds(row: Row) -> bool:
        """Whether a row satisfies the condition."""
        value = absent.cell(row, condition.column)
        if value is None or (condition.equals is not None and _text(value) not in condition.equals):
            return False
        if condition.at_least is None:
            return True
        try:
            return Decimal(_text(value)) >= Decimal(str(condition.at_least))
        except DecimalException:
            return False

    return holds


def reader_of(value: ValueMapping, node: Node, absent: Absent, zone: ZoneInfo, origin: str) -> Read:
    """Make the function that reads a member from a row.

    Args:
        value: mapping of the member.
        node: place of the member in its contract.
        absent: reader of cells.
        zone: time zone of times that state none, unless the mapping names one.
        origin: place of the mapping, for messages.

    Returns:
        Function from a row to the value, None if the row does not say; it raises RefusedValueError
        if the cell cannot be read.

    Raises:
        SettingsError: the mapping does not name either a column or a constant, or asks for what
            cannot be done with the member.
    """
    _require_source(value, origin)
    if value.column is None:
        constant = _constant(value.constant, node)
        return lambda row: constant
    own_zone = zone if value.zone is None else zone_of(value.zone, origin)
    convert = _converter(value, node, absent, own_zone, origin)
    column = value.column

    def read(row: Row) -> Any:
        """The value of the member in a row."""
        cell = absent.cell(row, column)
        if cell is None:
            return None
        listed = value.values or {}
        text = _text(cell)
        if text in listed:
            return _constant(listed[text], node)
        if value.values is None or value.others == "keep":
            return convert(cell, row)
        return _other(value, column, text)

    return read


def _require_source(value: ValueMapping, origin: str) -> None:
    """Raise SettingsError unless a mapping names one source of its value."""
    if (value.column is None) == (value.constant is None):
        raise SettingsError(f"{origin} needs a column or a constant, not both", "name one of them")
    if value.plus is not None and value.plus.column is None:
        raise SettingsError(f"{origin}: plus names no column", "name the column to add")


def _constant(value: Any, node: Node) -> Any:
    """A value of the mapping as JSON has it: times as text, and a lone element of a list as one."""
    if isinstance(value, datetime):
        return rfc3339(value if value.tzinfo is not None else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return value.isoformat()
    return [value] if node.kind == "array" and not isinstance(value, list) else value


def _other(value: ValueMapping, column: str, text: str) -> None:
    """What becomes of a text that `values` does not list.

    Returns:
        None, if others are absent.

    Raises:
        RefusedValueError: others are refused.
    """
    if value.others == "refuse":
        raise RefusedValueError(f"a value of '{column}' that `values` does not list", text)


Convert = Callable[[Any, Row], Any]


def _converter(
    value: ValueMapping, node: Node, absent: Absent, zone: tzinfo, origin: str
) -> Convert:
    """Make the function from a cell, which says something, and its row to the member's value.

    Raises:
        SettingsError: a member of this kind cannot be read from a cell.
    """
    if node.kind in ("integer", "number"):
        return lambda cell, row: _plain(_number(value, cell))
    if node.kind == "boolean":
        return lambda cell, row: _truth(cell)
    if node.kind == "array" and node.items is not None and node.items.kind == "string":
        return lambda cell, row: _list(value, cell)
    if node.kind != "string":
        raise SettingsError(f"{origin} is a {node.kind} and cannot be a cell", "leave it out")
    if "format" in node.schema:
        return _times(value, node.schema["format"], absent, zone)
    return lambda cell, row: _digest(_text(cell)) if value.digest else _text(cell)


def _times(value: ValueMapping, form: str, absent: Absent, zone: tzinfo) -> Convert:
    """Make the function that reads instants or days.

    Args:
        value: mapping of the member.
        form: format of the member in its contract, `date-time` or `date`.
        absent: reader of cells.
        zone: time zone of times that state none.
    """

    def convert(cell: Any, row: Row) -> str | None:
        """The instant of a cell, or the day as the cell says it, as RFC 3339 text."""
        at = _time(value, cell, zone)
        if form == "date":
            return _parsed(value, cell).date().isoformat()
        if value.plus is not None:
            more = absent.cell(row, str(value.plus.column))
            if more is None:
                return None
            at += timedelta(microseconds=int(_number(value.plus, more) * MICROS))
        return rfc3339(at)

    return convert


def _time(value: ValueMapping, cell: Any, zone: tzinfo) -> datetime:
    """The instant of a cell, aware; an hour that a clock tells twice is the first.

    Raises:
        RefusedValueError: it is no instant of the mapping's format.
    """
    try:
        at = _parsed(value, cell)
        return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, DecimalException):
        raise RefusedValueError(f"no time of the format {value.format}", _text(cell)) from None


def _parsed(value: ValueMapping, cell: Any) -> datetime:
    """Parse a cell as a time, aware where it states its zone."""
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)
    text = _text(cell)
    if value.format in EPOCHS:
        micros = int(Decimal(text) / EPOCHS[value.format] * MICROS)
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
    if value.format == "iso":
        return datetime.fromisoformat(text)
    return datetime.strptime(text, value.format)


def _number(value: NumberMapping, cell: Any) -> Decimal:
    """The number of a cell, scaled and rounded.

    Raises:
        RefusedValueError: it is no number.
    """
    text = _text(cell)
    try:
        number = _clock(text) if value.clock else Decimal(text)
        number *= Decimal(str(value.scale))
        if not number.is_finite():
            raise RefusedValueError("no number", text)
        if value.round is None:
            return number
        step = Decimal(str(value.step))
        way = ROUND_FLOOR if value.round == "down" else ROUND_HALF_UP
        return (number / step).to_integral_value(way) * step
    except DecimalException:
        kind = "no time of a clock, such as 1:24:13" if value.clock else "no number"
        raise RefusedValueError(kind, text) from None


def _clock(text: str) -> Decimal:
    """The seconds of a text such as 1:24:13."""
    seconds = Decimal(0)
    for part in text.split(":"):
        seconds = seconds * 60 + Decimal(part)
    return seconds


def _plain(number: Decimal) -> int | float:
    """A number as JSON writes it."""
    return int(number) if number == number.to_integral_value() else float(number)


def _truth(cell: Any) -> bool:
    """The truth value of a cell.

    Raises:
        RefusedValueError: it is none of TRUTHS.
    """
    text = _text(cell)
    if text.lower() not in TRUTHS:
        raise RefusedValueError(f"none of {', '.join(TRUTHS)}", text)
    return TRUTHS[text.lower()]


def _list(value: ValueMapping, cell: Any) -> list[str] | None:
    """The elements of a list; None if it has none."""
    if isinstance(cell, list):
        parts: Iterator[str] = map(_text, cell)
    else:
        text = _text(cell)
        parts = iter(text.split(value.split)) if value.split else iter([text])
    return [part.strip() for part in parts if part.strip()] or None


def _digest(text: str) -> str:
    """The start of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def _text(value: Any) -> str:
    """A cell's value as text, booleans as JSON writes them and whole numbers without a point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _nested(row: Row, path: str) -> Any:
    """The value at a dotted path of nested objects; None if there is none."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def zone_of(name: str, origin: str) -> ZoneInfo:
    """The time zone of a name.

    Args:
        name: IANA name.
        origin: place of the name, for messages.

    Raises:
        SettingsError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise SettingsError(
            f"{origin}: no time zone is called '{name}'", "write it as Europe/Berlin or UTC"
        ) from None
