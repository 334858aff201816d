"""Mappings: a YAML file that says which events the rows of a viewing history become.

docs/contracts.md, Replay a file, says what each key means. A mapping is held to the contracts when
it is loaded: a member that a contract does not have is refused before a row is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field

from jobs.producers.history_values import (
    Absent,
    Condition,
    Read,
    Row,
    ValueMapping,
    condition_of,
    reader_of,
    zone_of,
)
from jobs.runtime.conf_files import Section, parse, read_yaml
from jobs.runtime.errors import SettingsError
from transforms.contracts.contract import Contract, ContractError, Node
from transforms.contracts.registry import Registry
from transforms.events.fast_lane import GAPS, canonical_pattern

S = TypeVar("S", bound=Section)

GIVEN = ("eventType", "version")  # members that follow from the event's type


class EventMapping(Section):
    """One event that a row becomes.

    Attributes:
        event: event type.
        version: version of its contract; None: the newest.
        when: condition on the row; None: every row becomes one.
        once: whether only the first row with each Kafka key becomes one, as for a catalogue.
        fields: value of each member, by its dotted path, over those of `every`.
    """

    event: str
    version: str | None = None
    when: dict[str, Any] | None = None
    once: bool = False
    fields: dict[str, dict[str, Any]] = Field(default_factory=dict)


class FileMapping(Section):
    """A mapping file.

    Attributes:
        format: format of the rows; None: by the file's name.
        delimiter: character between the cells of CSV.
        encoding: encoding of text files.
        zone: IANA time zone of times that state none.
        absent: texts that mean that nothing is known, besides the empty one.
        identity: columns that name a row; None: all columns.
        every: values of members that all events share, where their contracts have them.
        events: events that a row becomes, in the order in which they are sent.
    """

    format: Literal["csv", "jsonl", "parquet"] | None = None
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    zone: str = "UTC"
    absent: tuple[str, ...] = ()
    identity: tuple[str, ...] | None = None
    every: dict[str, dict[str, Any]] = Field(default_factory=dict)
    events: tuple[dict[str, Any], ...] = Field(min_length=1)


@dataclass(frozen=True)
class EventMaker:
    """Makes the event of one entry of a mapping.

    Attributes:
        name: unique name in the mapping, of which event ids are made.
        contract: contract of the event.
        applies: whether a row becomes the event.
        once: whether only the first row with each Kafka key becomes one.
        members: reader of each member, by its path.
    """

    name: str
    contract: Contract
    applies: Callable[[Row], bool]
    once: bool
    members: Mapping[tuple[str, ...], Read]

    @cached_property
    def canonical(self) -> re.Pattern[str]:
        """Pattern that only texts of valid events match, its end as Python writes it."""
        return re.compile(canonical_pattern(self.contract, GAPS[0]).removesuffix(r"\z") + r"\Z")

    def event(self, row: Row) -> dict[str, Any]:
        """The event of a row, without what is not known.

        Raises:
            RefusedValueError: a value cannot be read; names the member.
        """
        event: dict[str, Any] = {
            "eventType": self.contract.event_type,
            "version": self.contract.version,
        }
        for path, read in self.members.items():
            value = read(row)
            if value is not None:
                *above, last = path
                place = event
                for name in above:
                    place = place.setdefault(name, {})
                place[last] = value
        return event


@dataclass(frozen=True)
class HistoryMapping:
    """A mapping that was loaded and held to the contracts.

    Attributes:
        file: settings of how rows are read.
        makers: makers of events, in the order in which a row's events are sent.
        columns: names of the columns that it reads.
    """

    file: FileMapping
    makers: tuple[EventMaker, ...]
    columns: frozenset[str]


def load_mapping(file: Path, registry: Registry) -> HistoryMapping:
    """Read a mapping and hold it to the contracts.

    Args:
        file: YAML file.
        registry: all contracts.

    Raises:
        SettingsError: the file cannot be read, or an entry of it is wrong; names the entry.
    """
    document = read_yaml(file)
    if not isinstance(document.get("events"), list):
        raise SettingsError(f"{file}: no list 'events'", "see docs/contracts.md, Replay a file")
    declared = parse(FileMapping, document, origin=str(file))
    absent = Absent(frozenset(declared.absent))
    zone = zone_of(declared.zone, str(file))
    loading = _Loading(str(file), declared, absent, zone, set(declared.identity or ()))
    entries = [loading.entry(number, each) for number, each in enumerate(declared.events, 1)]
    types = [entry.event for entry in entries]
    makers = tuple(
        loading.maker(entry, registry, f"{entry.event}/{types[:place].count(entry.event)}")
        for place, entry in enumerate(entries)
    )
    return HistoryMapping(declared, makers, frozenset(loading.columns))


@dataclass(frozen=True)
class _Loading:
    """What the entries of one mapping file share while it is loaded.

    Attributes:
        origin: path of the file, for messages.
        declared: the file's settings.
        absent: test for cells that say nothing.
        zone: time zone of times that state none.
        columns: names of the columns read so far; grows.
    """

    origin: str
    declared: FileMapping
    absent: Absent
    zone: ZoneInfo
    columns: set[str]

    def entry(self, number: int, given: Mapping[str, Any]) -> EventMapping:
        """Validate one entry of `events`.

        Args:
            number: position in the list, from 1.
            given: the entry as parsed from YAML.

        Raises:
            SettingsError: it names no event type, or a key is wrong.
        """
        origin = f"{self.origin}: event {number}"
        if "event" not in given:
            raise SettingsError(f"{origin} names no event", "add event: VideoPlaybackStarted")
        return parse(EventMapping, given, origin=origin)

    def maker(self, entry: EventMapping, registry: Registry, name: str) -> EventMaker:
        """Make the maker of an entry's events.

        Args:
            entry: the entry.
            registry: all contracts.
            name: unique name of the maker.

        Raises:
            SettingsError: its contract does not exist or lacks a member, or a value is wrong.
        """
        origin = f"{self.origin}: {entry.event}"
        contract = _contract(registry, entry, origin)
        shared = {
            path: value
            for path, value in self.declared.every.items()
            if _node_at(contract.root, path) is not None
        }
        members = dict(self._members(contract, {**shared, **entry.fields}, origin))
        return EventMaker(
            name,
            contract,
            _applies_always
            if entry.when is None
            else self._condition(entry.when, f"{origin}: when"),
            entry.once,
            members,
        )

    def _members(
        self, contract: Contract, fields: Mapping[str, Mapping[str, Any]], origin: str
    ) -> Iterator[tuple[tuple[str, ...], Read]]:
        """Yield path and reader of each member.

        Raises:
            SettingsError: the contract has no such member, or a value is wrong.
        """
        for path, given in fields.items():
            node = _node_at(contract.root, path)
            if node is None or node.path.removeprefix("$.") in GIVEN:
                raise SettingsError(
                    f"{origin}: {contract.name} has no member '{path}' to map",
                    f"use one of: {', '.join(_paths(contract.root))}",
                )
            value = parse(ValueMapping, given, origin=f"{origin}: {path}")
            self.columns.update(value.columns)
            yield (
                tuple(path.split(".")),
                reader_of(value, node, self.absent, self.zone, f"{origin}: {path}"),
            )

    def _condition(self, given: Mapping[str, Any], origin: str) -> Callable[[Row], bool]:
        """Make the test of a row from `when`.

        Raises:
            SettingsError: a key is wrong.
        """
        if "column" not in given:
            raise SettingsError(f"{origin} names no column", "add column: and what it must hold")
        condition = parse(Condition, given, origin=origin)
        self.columns.add(condition.column)
        return condition_of(condition, self.absent)


def _applies_always(_: Row) -> bool:
    """The condition of an entry without `when`."""
    return True


def _contract(registry: Registry, entry: EventMapping, origin: str) -> Contract:
    """The contract of an entry.

    Raises:
        SettingsError: there is none.
    """
    try:
        versions = registry.versions(entry.event)
    except ContractError:
        raise SettingsError(
            f"{origin}: no such event type", f"use one of: {', '.join(registry.event_types)}"
        ) from None
    known = {contract.version: contract for contract in versions}
    wanted = entry.version or versions[-1].version
    if wanted not in known:
        raise SettingsError(f"{origin}: no version {wanted!r}", f"use one of: {', '.join(known)}")
    return known[wanted]


def _node_at(root: Node, path: str) -> Node | None:
    """The node at a dotted path that a value may be mapped to; None if there is none."""
    node = root
    for name in path.split("."):
        if node.kind != "object" or name not in node.fields:
            return None
        node = node.fields[name]
    return None if node.kind == "object" else node


def _paths(root: Node) -> Sequence[str]:
    """The dotted paths of all members that a value may be mapped to."""
    found = (node.path.removeprefix("$.") for node in root.walk() if node.kind != "object")
    return [path for path in found if path not in GIVEN and "*" not in path]
