"""The strict lane: reads a text as exactly one JSON document and holds it to its contract.

A valid event is rewritten in its contract's own order, without unknown members, so that all that
follows sees one form. Most texts never become a Python dictionary: a compiled decoder checks them
while it parses, and a decoder drops what an object repeats or the contract does not know. Each
member of an object has one colon; so if text and rewritten event have equally many, none was
dropped. Whatever that does not decide is parsed and checked place by place, which also finds the
reason of a rejection.

Real-time mode runs no Python: `variant_lane` is the same lane made of Spark's own functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.contracts.contract import Contract, Node
from transforms.contracts.json_text import (
    LONGEST_NAME,
    LONGEST_NUMBER,
    MOST_LEVELS,
    MalformedJsonError,
    parse_json,
)
from transforms.contracts.msgspec_types import attribute, struct_of
from transforms.contracts.numbers import read_number
from transforms.contracts.registry import Registry
from transforms.events.reading import SHAPE, TYPES, Reading
from transforms.events.reasons import Reason
from transforms.events.strict_faults import elements, first_fault

LONG_NUMBER = re.compile(rb"[-+.eE0-9]{%d}" % (LONGEST_NUMBER + 1))
# a number that a double may round; also in other texts
ROUNDED = re.compile(rb"[:,\[\s]-?(?:[.0-9]{16}|[.0-9]+[eE])")
ESCAPED_COLON = b"\\u003"
COLON, OPENINGS = b":", (b"[", b"{")
NOTHING = Reading()
ARROW_TYPES = {"int": pa.int32(), "string": pa.string()}
ENCODER = msgspec.json.Encoder()
UNTYPED = msgspec.json.Decoder()
UNDECIDED = (msgspec.MsgspecError, ValueError, RecursionError)


ARROW = pa.struct([(name, ARROW_TYPES[type_]) for name, type_ in TYPES.items()])


def steps(registry: Registry, carried: Sequence[Column]) -> list[list[Column]]:
    """The columns to select, step by step, that read texts in a Python worker.

    They add strict, struct SHAPE of unread (string, fit to be parsed); null for a null text.

    Args:
        registry: all contracts.
        carried: columns to carry over, `topic` among them.
    """
    documents = json.dumps([[c.event_type, c.version, c.schema] for c in registry])

    def read(values: pa.Array, topics: pa.Array) -> pa.Array:
        """Read one Arrow batch."""
        reader = _reader(documents)
        found = [
            None if value is None else reader.read(value, topic)
            for value, topic in zip(values.to_pylist(), topics.to_pylist(), strict=True)
        ]
        return _arrow(found)

    declare: Any = F.arrow_udf  # type: ignore[attr-defined]
    # a filter on what was read must not be pushed below it: texts would be read twice, and the
    # plan would hold the patterns of all contracts many times over
    worker = declare(read, SHAPE).asNondeterministic()
    return [[*carried, worker(F.col("unread").cast("binary"), "topic").alias("strict")]]


def _arrow(found: Sequence[Reading | None]) -> pa.Array:
    """Readings as an Arrow array of structs."""
    columns = zip(*(each or NOTHING for each in found), strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, ARROW, strict=True)]
    absent = pa.array([each is None for each in found], pa.bool_())
    return pa.StructArray.from_arrays(arrays, fields=list(ARROW), mask=absent)


@lru_cache(maxsize=4)
def _reader(documents: str) -> StrictReader:
    """The reader of some contracts, made once a Python worker.

    Args:
        documents: JSON array of [event type, version, schema].
    """
    return StrictReader([Contract(*parts) for parts in json.loads(documents)])


class StrictReader:
    """Reads texts by the contracts of a registry.

    Args:
        contracts: all contracts; their order gives their index.
    """

    def __init__(self, contracts: list[Contract]) -> None:
        self._types = {contract.event_type for contract in contracts}
        self._layouts = {
            (contract.event_type, contract.version): Layout(index, contract)
            for index, contract in enumerate(contracts)
        }

    def read(self, value: bytes, topic: str) -> Reading:
        """Read one text.

        Args:
            value: valid UTF-8 that is not blank.
            topic: topic of the record.

        Returns:
            The reading of a valid event, or the first fault.
        """
        return self.decoded(value, topic) or self.checked(value, topic)

    def decoded(self, value: bytes, topic: str) -> Reading | None:
        """Read a text by its contract's decoder.

        Args:
            value: bytes of the text.
            topic: topic of the record.

        Returns:
            The reading of a valid event; None for a text that the decoder does not prove to be one.
        """
        try:
            heading = HEADING.decode(value)
            layout = self._layouts.get((heading.event_type, heading.version))
            if layout is None or topic not in layout.contract.topics:
                return None
            return layout.decoded(value)
        except UNDECIDED:
            return None

    def checked(self, value: bytes, topic: str) -> Reading:
        """Read a text place by place.

        Args:
            value: valid UTF-8 that is not blank.
            topic: topic of the record.

        Returns:
            The reading of a valid event, or the first fault.
        """
        try:
            document = parse_json(value.decode(), read_number)
        except MalformedJsonError as error:
            return Reading(reason=Reason.MALFORMED_JSON, rule=error.rule)
        if not isinstance(document, dict):
            return Reading(reason=Reason.NOT_AN_OBJECT, path="$")
        named = Reading(_text(document, "eventType"), _text(document, "version"))
        if named.event_type not in self._types:
            return named._replace(reason=Reason.UNKNOWN_EVENT_TYPE, path="$.eventType")
        layout = self._layouts.get((named.event_type, named.contract_version or ""))
        if layout is None:
            return named._replace(reason=Reason.UNKNOWN_VERSION, path="$.version")
        named = named._replace(contract=layout.index)
        if topic not in layout.contract.topics:
            return named._replace(reason=Reason.WRONG_TOPIC)
        fault = first_fault(layout.contract.root, document)
        if fault is not None:
            reason, path, rule = fault
            return named._replace(reason=reason, path=path, rule=rule)
        return layout.rewritten(document)


class _Heading(msgspec.Struct, rename={"event_type": "eventType"}):
    """The members that name a contract."""

    event_type: str
    version: str


HEADING = msgspec.json.Decoder(_Heading)


class Layout:
    """How a contract's events are decoded.

    Args:
        index: index of the contract in the registry.
        contract: the contract.
    """

    def __init__(self, index: int, contract: Contract) -> None:
        self.index = index
        self.contract = contract
        self._struct = struct_of(contract)
        self._decoder = msgspec.json.Decoder(self._struct)
        self._time, self._key, self._id = map(attribute, ("timestamp", contract.key, "eventId"))
        self._names = _Names(contract.root)
        self._has_numbers = any(node.kind == "number" for node in contract.root.walk())

    def decoded(self, value: bytes) -> Reading | None:
        """Read a text by the decoder; None if that does not prove it valid.

        Raises:
            MsgspecError: the decoder refuses the text.
            ValueError: the same, for a text that is not UTF-8.
            RecursionError: the text is nested too deep.
        """
        if ESCAPED_COLON in value or (len(value) > LONGEST_NUMBER and LONG_NUMBER.search(value)):
            return None
        if self._has_numbers and ROUNDED.search(value):
            return None
        try:
            event = self._decoder.decode(value)
        except msgspec.ValidationError:
            return None if ROUNDED.search(value) else self._decoded_as_floats(value)
        content = ENCODER.encode(event)
        if content.count(COLON) != value.count(COLON) and self._with_unknown(value) is None:
            return None
        return self._reading(event, content)

    def _decoded_as_floats(self, value: bytes) -> Reading | None:
        """Read a text that may write whole numbers with a fraction, as in 7.0."""
        document = self._with_unknown(value)
        if document is None:
            return None
        event = msgspec.convert(_rewritten(self.contract.root, document), self._struct)
        return self._reading(event, ENCODER.encode(event))

    def _with_unknown(self, value: bytes) -> dict[str, Any] | None:
        """The members of a text, unknown ones too; None if one is repeated or misspelt."""
        if len(value) > LONGEST_NAME or sum(map(value.count, OPENINGS)) > MOST_LEVELS:
            return None
        document: dict[str, Any] = UNTYPED.decode(value)
        repeats = ENCODER.encode(document).count(COLON) != value.count(COLON)
        return None if repeats or self._names.misspelt_in(document) else document

    def _reading(self, event: msgspec.Struct, content: bytes) -> Reading:
        """The reading of a valid event."""
        own_id = getattr(event, self._id, msgspec.UNSET)
        return Reading(
            contract=self.index,
            event_time=getattr(event, self._time),
            own_id=None if own_id is msgspec.UNSET else own_id,
            own_key=getattr(event, self._key),
            content=content.decode(),
        )

    def rewritten(self, event: dict[str, Any]) -> Reading:
        """The reading of an event that is valid."""
        return Reading(
            contract=self.index,
            event_time=event["timestamp"].upper(),
            own_id=event.get("eventId"),
            own_key=event[self.contract.key],
            content=ENCODER.encode(_rewritten(self.contract.root, event)).decode(),
        )


class _Names:
    """The names of an object's members, and of the objects below it.

    Args:
        node: node of the object.
    """

    def __init__(self, node: Node) -> None:
        self._known = node.fields.keys()
        self._lowered = {name.lower() for name in node.fields}
        self._objects = [(at, _Names(child)) for at, child in node.fields.items() if child.fields]
        self._items = [
            (at, _Names(child.items))
            for at, child in node.fields.items()
            if child.items is not None and child.items.fields
        ]

    def misspelt_in(self, members: dict[str, Any]) -> bool:
        """Whether a name differs in letter case only from one that is known at its place.

        Args:
            members: an object.
        """
        odd = members.keys() - self._known
        if odd and not self._lowered.isdisjoint(map(str.lower, odd)):
            return True
        for name, names in self._objects:
            below = members.get(name)
            if isinstance(below, dict) and names.misspelt_in(below):
                return True
        for name, names in self._items:
            for item in elements(members.get(name)):
                if isinstance(item, dict) and names.misspelt_in(item):
                    return True
        return False


def _rewritten(node: Node, value: Any) -> Any:
    """Copy a value: known members in the contract's order, whole numbers without a fraction."""
    if node.kind == "integer":
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if node.kind == "number" and isinstance(value, Decimal):
        return float(value)
    if node.fields and isinstance(value, dict):
        known = ((name, child) for name, child in node.fields.items() if name in value)
        return {name: _rewritten(child, value[name]) for name, child in known}
    if node.items is not None and isinstance(value, dict):
        return {name: _rewritten(node.items, below) for name, below in value.items()}
    if node.items is not None and isinstance(value, list):
        return [_rewritten(node.items, below) for below in value]
    return value


def _text(document: dict[str, Any], name: str) -> str | None:
    """A member of a document; None if it is absent or no string."""
    value = document.get(name)
    return value if isinstance(value, str) else None
