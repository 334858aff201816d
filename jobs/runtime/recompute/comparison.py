"""Comparison of a new generation with the live one, logged and stored in ops.parity."""

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
    """Compare a new generation with another, and store the result in ops.parity.

    Args:
        lake: the generation to compare with.
        new: the new generation.
        settings: settings of refine, of which the duplicate horizon counts.

    Returns:
        The rows compared, and those that differ, by cause.
    """
    before, after = pin_generation(lake), pin_generation(new)
    changed = changed_folds(generations(lake)[lake.generation].folds)
    horizon_h = settings.refine.duplicate_horizon_h
    found = compare(lake, build_of(before), build_of(after), horizon_h, changed)
    store_parity(lake, found, before, after)
    return found


def changed_folds(folds: Mapping[str, str]) -> dict[str, bool]:
    """Whether each fold's declaration differs from the one that gold was made by.

    Args:
        folds: digest of the declaration that gold was made by, by fold.

    Returns:
        True for a fold that is declared differently now, by fold.
    """
    return {name: folds.get(name) != digest for name, digest in definitions().items()}


def refuse_unexplained(found: Parity) -> None:
    """Log the result of a comparison, and stop if a difference has no cause.

    Raises:
        DataError: a difference is unexplained.
    """
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
