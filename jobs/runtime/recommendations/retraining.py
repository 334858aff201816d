"""Retrain: one training of a lake at a time, and none that would make the challenger once more."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.locks import run_alone
from jobs.runtime.recommendations.challenger import current_challenger, train
from jobs.runtime.recommendations.model_registry import CHALLENGER
from jobs.runtime.settings import RecommendSettings
from jobs.runtime.streams.queries import TRAIN
from transforms.recommendations.gate import describe_difference

log = logging.getLogger(__name__)


def retrain(
    lake: Lake,
    settings: RecommendSettings,
    *,
    scratch: bool = False,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Train, unless the challenger is of these tables, settings and code; log what it came to.

    Args:
        lake: lake whose gold is learned from.
        settings: section `recommend`.
        scratch: whether all histories are counted anew; always trains.
        tags: further tags of the version.

    Raises:
        DataError: another process is training, gold is empty, or nothing can be learned from it.
        ServiceError: MLflow cannot be reached.
    """
    name = settings.model
    with run_alone(lake.shared_checkpoint(TRAIN), TRAIN):
        current = None if scratch else current_challenger(lake, settings)
        if current is not None:
            log.info("%s version %s is of these very tables and settings: nothing to train",
                     name, current)  # fmt: skip
            return
        result = train(lake, settings, scratch=scratch, tags=tags)
    log.info("%s version %s is the %s, sha256 %s", name, result.version, CHALLENGER, result.sha256)
    for rival, difference in result.verdict.differences.items():
        log.info("against %s: %s", rival, describe_difference(difference))
    for refusal in result.verdict.refusals:
        log.warning("the gate would refuse it: %s", refusal)
