"""Rules for publishing contracts, over the whole registry: the promises to their users.

Within a major version each contract is FULL_TRANSITIVE compatible with all before it, read
tolerantly. A new major version has an upcaster. A published document never changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from transforms.contracts.compatibility.comparison import Mode
from transforms.contracts.compatibility.documents import canonical
from transforms.contracts.compatibility.levels import Level, Step, check
from transforms.contracts.compatibility.outcomes import Finding, Verdict
from transforms.contracts.contract import HEADING, Contract, Schema
from transforms.contracts.registry import Registry


@dataclass(frozen=True)
class Refusal:
    """Why a contract may not be published as it is.

    Attributes:
        event_type: event type.
        version: version, `major.minor`.
        verdict: breaking or undecided.
        path: JSONPath of the place in the event; `$` is the whole.
        keyword: keyword of the contract.
        reason: description of the fault.
        remedy: instruction to resolve it.
    """

    event_type: str
    version: str
    verdict: Verdict
    path: str
    keyword: str
    reason: str
    remedy: str


def version_refusals(
    registry: Registry, level: Level = Level.FULL_TRANSITIVE, mode: Mode = Mode.TOLERANT
) -> Iterator[Refusal]:
    """Yield the incompatibilities of minor versions with earlier ones of the same major version.

    Args:
        registry: all contracts.
        level: compatibility level that minor versions must meet.
        mode: treatment of members that a schema does not declare.

    Yields:
        A refusal for each finding.
    """
    for event_type in registry.event_types:
        versions = registry.versions(event_type)
        for place, contract in enumerate(versions):
            major = contract.major_minor[0]
            earlier = [c for c in versions[:place] if c.major_minor[0] == major]
            yield from _minor_refusals(contract, earlier, level, mode)


def upcaster_refusals(
    registry: Registry, upcasters: Collection[tuple[str, int]]
) -> Iterator[Refusal]:
    """Yield a refusal for each major version, the first excepted, that lacks an upcaster.

    Args:
        registry: all contracts.
        upcasters: event type and major version of each upcaster that exists.
    """
    for event_type in registry.event_types:
        for old, new in pairwise(registry.versions(event_type)):
            major = new.major_minor[0]
            if major != old.major_minor[0] and (event_type, major) not in upcasters:
                yield Refusal(
                    *(event_type, new.version, Verdict.BREAKING, "$", "version"),
                    f"no upcaster leads from {old.version} to {new.version}",
                    f"add ('{event_type}', {major}) to transforms/events/upcasters.py",
                )


def lock_refusals(registry: Registry, lock: Mapping[str, str]) -> Iterator[Refusal]:
    """Yield a refusal for each published contract whose document was changed or removed.

    Args:
        registry: current contracts.
        lock: fingerprints of the published contracts, by `lock_name`.
    """
    found = {lock_name(contract): fingerprint(contract.schema) for contract in registry}
    for name, published in lock.items():
        if found.get(name) != published:
            event_type, _, version = name.partition("/")
            yield Refusal(
                *(event_type, version, Verdict.BREAKING, "$", "$id"),
                "the published file was changed" if name in found else "the published file is gone",
                "put it back, and make the change a new version",
            )


def drafts(registry: Registry, lock: Mapping[str, str]) -> tuple[Contract, ...]:
    """Contracts that are not published yet and may still change.

    Args:
        registry: current contracts.
        lock: fingerprints of the published contracts, by `lock_name`.
    """
    return tuple(contract for contract in registry if lock_name(contract) not in lock)


def lock_name(contract: Contract) -> str:
    """Key of a contract in the lock: `<EventType>/<major>.<minor>`."""
    return f"{contract.event_type}/{contract.version}"


def fingerprint(document: Schema) -> str:
    """SHA-256 of a document's content, independent of layout and the order of keys.

    Returns:
        Hexadecimal digits.
    """
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def _minor_refusals(
    contract: Contract, earlier: list[Contract], level: Level, mode: Mode
) -> Iterator[Refusal]:
    """Yield the refusals of one contract.

    Args:
        contract: contract to check.
        earlier: earlier contracts of its major version, oldest first.
        level: compatibility level that it must meet.
        mode: treatment of members that a schema does not declare.
    """
    steps = check(_body(contract), [_body(each) for each in earlier], level, mode)
    for step in steps:
        for finding in step.comparison.findings:
            yield _refusal(contract, earlier[step.earlier], step, finding)
    if earlier and level is not Level.NONE:
        yield from _routing_refusals(contract, earlier[-1])


def _refusal(contract: Contract, other: Contract, step: Step, finding: Finding) -> Refusal:
    """Turn a finding of the compatibility check into a refusal.

    Args:
        contract: contract that was checked.
        other: earlier contract that it was compared with.
        step: comparison of the two, in one direction.
        finding: incompatibility found.
    """
    backward = step.direction == "backward"
    reader, writer = (contract, other) if backward else (other, contract)
    return Refusal(
        *(contract.event_type, contract.version, finding.verdict, finding.path, finding.keyword),
        f"{reader.version} does not read all that {writer.version} writes: {finding.reason}",
        f"keep what {other.version} says, or make it {contract.major_minor[0] + 1}.0 "
        "with an upcaster",
    )


def _routing_refusals(contract: Contract, before: Contract) -> Iterator[Refusal]:
    """Yield a refusal for a changed key or family, or a lost topic, since the version before."""
    said = {
        "x-key": contract.key == before.key,
        "x-family": contract.family == before.family,
        "x-topics": set(contract.topics) >= set(before.topics),
    }
    for keyword in (keyword for keyword, kept in said.items() if not kept):
        yield Refusal(
            *(contract.event_type, contract.version, Verdict.BREAKING, "$", keyword),
            f"{keyword} {contract.schema[keyword]} is not that of {before.version}: "
            f"{before.schema[keyword]}",
            f"keep it, or make it {contract.major_minor[0] + 1}.0 with an upcaster",
        )


def _body(contract: Contract) -> Schema:
    """The document without eventType and version, which differ between versions by design."""
    properties = {k: v for k, v in contract.schema["properties"].items() if k not in HEADING}
    required = [name for name in contract.schema["required"] if name not in HEADING]
    return {**contract.schema, "properties": properties, "required": required}
