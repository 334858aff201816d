"""A new generation compared with the live one, told and kept in ops.parity."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from jobs.runtime.errors import DataError
from jobs.runtime.lake.generations import generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.pipeline.fold import definitions
from jobs.runtime.recompute.parity import Parity, build_of, compare, pin_generation, store_parity
from jobs.runtime.settings import Settings

log = logging.getLogger(__name__)


def compare_generations(lake: Lake, new: Lake, settings: Settings) -> Parity:
    """Compare a new generation with another, and keep the result in ops.parity."""
    before, after = pin_generation(lake), pin_generation(new)
    changed = changed_folds(generations(lake)[lake.generation].folds)
    horizon_h = settings.refine.duplicate_horizon_h
    found = compare(lake, build_of(before), build_of(after), horizon_h, changed)
    store_parity(lake, found, before, after)
    return found


def changed_folds(folds: Mapping[str, str]) -> dict[str, bool]:
    """For each fold, is it declared otherwise than `folds` says, by digest?"""
    return {name: folds.get(name) != digest for name, digest in definitions().items()}


def refuse_unexplained(found: Parity) -> None:
    """Tell what a comparison found; DataError if a difference has no cause."""
    log.info("%s rows compared, %s differ", f"{found.compared:,}", f"{found.differing:,}")
    for cause, rows in sorted(found.causes.items()):
        log.info("  %-16s %s", cause, f"{rows:,}")
    for (table, cause), examples in found.examples.items():
        if cause == "unexplained":
            for row in examples:
                log.error("gold.%s differs at %s", table, row)
    if found.unexplained:
        raise DataError(
            f"{found.unexplained:,} gold rows differ from the recompute without a cause",
            "the examples above name keys: look their events up in silver and bronze",
        )
