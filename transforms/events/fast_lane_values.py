"""Cells: the values of a canonical text, one a line, as the groups of its pattern capture them.

The first lines name the contract and hold the envelope, so that the judge need not read the
others. A text is taken apart once, by the pattern that proves it valid; nothing parses all of it
again.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.contracts.contract import Contract, Node
from transforms.contracts.spark_schema import spark_type

SEPARATOR = "\n"  # occurs in no canonical text
QUOTED = '"([^"]*)"'
ENVELOPE = ("lane", "timestamp", "eventId", "key")
LONGEST = 2**31 - 1


def captured_paths(contract: Contract) -> dict[str, bool]:
    """Paths of the values that a pattern's groups capture, in the order of the groups.

    An optional object has a group for its opening brace, which shows that it is present; a required
    one has none.

    Args:
        contract: the contract.

    Returns:
        By JSONPath: whether the group includes the opening quote. It does for an optional string
        that may be empty, to tell an empty one from an absent one.
    """
    return dict(_captured(contract.body))


def replacement(contract: Contract, lane: int) -> str:
    """Replacement text, for Java's regexp_replace, that turns a canonical text into its cells.

    Args:
        contract: contract of the text.
        lane: number of the contract, written to the first line.

    Returns:
        The lines of ENVELOPE, then those of the other values; absent values have empty lines.
    """
    groups = {path: f"${number}" for number, path in enumerate(captured_paths(contract), start=1)}
    return SEPARATOR.join((str(lane), *(groups.get(path, "") for path in _lines(contract))))


def head(cells: Column) -> Column:
    """Split the lines of ENVELOPE off the cells, which is cheaper than to split all of them.

    Args:
        cells: string, of a canonical text.

    Returns:
        Array of strings: a line each, and the rest as the last one.
    """
    return F.split(cells, SEPARATOR, len(ENVELOPE) + 1)


def envelope(head: Column, name: str) -> Column:
    """One line of ENVELOPE.

    Args:
        head: array from `head`.
        name: name in ENVELOPE.

    Returns:
        String; empty if the event lacks the value, null for a null head.
    """
    return F.get(head, F.lit(ENVELOPE.index(name)))


def body(contract: Contract, lines: Column) -> Column:
    """Build the body of an event from its cells.

    Args:
        contract: contract of the text.
        lines: array of strings, the cells split at SEPARATOR.

    Returns:
        Struct in the shape of the contract's body; absent optional fields are null.
    """
    at = {path: number for number, path in enumerate(_lines(contract), start=1)}
    quoted = captured_paths(contract)

    def members(node: Node) -> Column:
        """Struct of an object's fields."""
        below = node.fields.items()
        return F.struct(*(value(child, name in node.required).alias(name) for name, child in below))

    def value(node: Node, required: bool) -> Column:
        """Value of a field.

        Returns:
            Column of the node's Spark type; null if the field is optional and absent.
        """
        if node.kind == "object":
            return members(node) if required else F.when(given(node).isNotNull(), members(node))
        text = cell(node) if required else given(node)
        return F.substring(text, 2, LONGEST) if quoted[node.path] else _read(node, text)

    def given(node: Node) -> Column:
        """Cell of a node, as string, with null in place of the empty string."""
        return F.nullif(cell(node), F.lit(""))

    def cell(node: Node) -> Column:
        """Cell of a node, string."""
        return F.get(lines, F.lit(at[node.path]))

    return members(contract.body)


def _captured(node: Node) -> Iterator[tuple[str, bool]]:
    """Yield the paths of `captured_paths` below a node, with the flag of each."""
    for name, child in node.fields.items():
        required = name in node.required
        if child.kind != "object" or not required:
            yield child.path, not required and child.kind == "string" and _may_be_empty(child)
        yield from _captured(child)


def _may_be_empty(node: Node) -> bool:
    """Whether the contract allows the empty string at a node."""
    if node.listed is not None:
        return "" in node.listed
    return not node.schema.get("minLength") and "format" not in node.schema


def _lines(contract: Contract) -> list[str]:
    """Paths of the values on the lines behind the first, in order: those of ENVELOPE come first."""
    first = [f"$.{contract.key if name == 'key' else name}" for name in ENVELOPE[1:]]
    return [*first, *(path for path in captured_paths(contract) if path not in first)]


def _read(node: Node, text: Column) -> Column:
    """Convert the text of a cell to the Spark type of its node."""
    if node.kind == "string":
        return text
    if node.items is None:
        return text.try_cast(spark_type(node))
    if node.kind == "array" and node.items.kind == "string":
        return F.regexp_extract_all(text, F.lit(QUOTED), F.lit(1))
    return F.from_json(text, spark_type(node).json())
