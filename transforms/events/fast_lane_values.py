"""Cells: the values of a canonical text, one a line, as the groups of its pattern capture them.

The first lines say which contract it is and hold the envelope, so that the judge need not read
the others. A text is taken apart once, by the pattern that proves it valid; nothing parses all
of it again.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.contracts.contract import Contract, Node
from transforms.contracts.spark_schema import spark_type

SEPARATOR = "\n"  # which no canonical text holds
QUOTED = '"([^"]*)"'
ENVELOPE = ("lane", "timestamp", "eventId", "key")
LONGEST = 2**31 - 1


def captured_paths(contract: Contract) -> dict[str, bool]:
    """The paths of the values that a pattern's groups hold, in the order of the groups.

    An optional object has a group for its opening brace, which tells that it is there; a required
    one has none.

    Returns:
        For each path, whether its opening quote is held too: that of a string that may be empty,
        but there.
    """
    return dict(_captured(contract.body))


def replacement(contract: Contract, lane: int) -> str:
    """What to replace a canonical text by, for Java: ENVELOPE, then the other cells.

    A value that the text does not have is an empty line. Lane is a number for the contract.
    """
    groups = {path: f"${number}" for number, path in enumerate(captured_paths(contract), start=1)}
    return SEPARATOR.join((str(lane), *(groups.get(path, "") for path in _lines(contract))))


def head(cells: Column) -> Column:
    """The texts of ENVELOPE, for `envelope`; costs less than to split all cells."""
    return F.split(cells, SEPARATOR, len(ENVELOPE) + 1)


def envelope(head: Column, name: str) -> Column:
    """One of the texts of ENVELOPE."""
    return F.get(head, F.lit(ENVELOPE.index(name)))


def body(contract: Contract, lines: Column) -> Column:
    """The struct of a contract's body, from the cells of one of its texts, split at SEPARATOR."""
    at = {path: number for number, path in enumerate(_lines(contract), start=1)}
    quoted = captured_paths(contract)

    def members(node: Node) -> Column:
        below = node.fields.items()
        return F.struct(*(value(child, name in node.required).alias(name) for name, child in below))

    def value(node: Node, required: bool) -> Column:
        if node.kind == "object":
            return members(node) if required else F.when(given(node).isNotNull(), members(node))
        text = cell(node) if required else given(node)
        return F.substring(text, 2, LONGEST) if quoted[node.path] else _read(node, text)

    def given(node: Node) -> Column:
        return F.nullif(cell(node), F.lit(""))

    def cell(node: Node) -> Column:
        return F.get(lines, F.lit(at[node.path]))

    return members(contract.body)


def _captured(node: Node) -> Iterator[tuple[str, bool]]:
    for name, child in node.fields.items():
        required = name in node.required
        if child.kind != "object" or not required:
            yield child.path, not required and child.kind == "string" and _may_be_empty(child)
        yield from _captured(child)


def _may_be_empty(node: Node) -> bool:
    if node.listed is not None:
        return "" in node.listed
    return not node.schema.get("minLength") and "format" not in node.schema


def _lines(contract: Contract) -> list[str]:
    """The paths of all lines but the lane's: first those of ENVELOPE."""
    first = [f"$.{contract.key if name == 'key' else name}" for name in ENVELOPE[1:]]
    return [*first, *(path for path in captured_paths(contract) if path not in first)]


def _read(node: Node, text: Column) -> Column:
    if node.kind == "string":
        return text
    if node.items is None:
        return text.try_cast(spark_type(node))
    if node.kind == "array" and node.items.kind == "string":
        return F.regexp_extract_all(text, F.lit(QUOTED), F.lit(1))
    return F.from_json(text, spark_type(node).json())
