"""Checks before contracts are published, and the lock file of the published ones."""

from __future__ import annotations

from pathlib import Path

from jobs.runtime.contracts.registry import SCHEMAS, load_registry, read_json
from transforms.contracts.compatibility.comparison import Mode
from transforms.contracts.compatibility.levels import Level
from transforms.contracts.publication import (
    Refusal,
    lock_refusals,
    upcaster_refusals,
    version_refusals,
)

LOCK = "lock.json"


def load_lock(folder: Path = SCHEMAS) -> dict[str, str]:
    """Read the fingerprints of the published contracts.

    Args:
        folder: folder of the contracts.

    Returns:
        Fingerprint by contract name; empty without a lock file.

    Raises:
        SettingsError: the lock file is not JSON.
    """
    file = folder / LOCK
    return dict(read_json(file)) if file.exists() else {}


def refusals(
    folder: Path = SCHEMAS,
    level: Level = Level.FULL_TRANSITIVE,
    mode: Mode = Mode.TOLERANT,
) -> list[Refusal]:
    """Check whether the contracts of a folder may be published.

    Args:
        folder: folder of the contracts.
        level: compatibility that versions must have.
        mode: treatment of members that a contract does not declare.

    Returns:
        Every reason against it; empty if they may be published.

    Raises:
        SettingsError: a contract or the lock file cannot be read.
    """
    from transforms.events.upcasters import UPCASTERS  # here, as it imports Spark

    registry = load_registry(folder)
    return [
        *lock_refusals(registry, load_lock(folder)),
        *version_refusals(registry, level, mode),
        *upcaster_refusals(registry, UPCASTERS.keys()),
    ]
