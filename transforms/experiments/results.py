"""The results of an experiment as rows of gold.experiment_results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from transforms.experiments.analysis import (
    Estimate,
    Evidence,
    ExperimentResult,
    MetricResult,
    Observed,
)
from transforms.experiments.decision import Decision, Goal
from transforms.experiments.definitions import Experiment
from transforms.experiments.effects import Undefined
from transforms.experiments.estimators import NOBODY

_ESTIMATE = "STRUCT<value: DOUBLE, lower: DOUBLE, upper: DOUBLE, p_value: DOUBLE>"
_DECISION = "STRUCT<verdict: STRING, reasons: ARRAY<STRING>>"
KEY = ("experiment_id", "variant", "metric", "computed_at")
COLUMNS = {
    "experiment_id": "STRING",
    "variant": "STRING",
    "metric": "STRING",
    "computed_at": "TIMESTAMP",
    "role": "STRING",
    "judgement": "STRING",
    "control": "DOUBLE",
    "treatment": "DOUBLE",
    "control_users": "BIGINT",
    "treatment_users": "BIGINT",
    "lift": _ESTIMATE,
    "difference": _ESTIMATE,
    "adjusted_p_value": "DOUBLE",
    "chance_to_win": "DOUBLE",
    "minimum_detectable_lift": "DOUBLE",
    "days_to_decision": "BIGINT",
    "undefined": "STRING",
    "variant_decision": _DECISION,
    "decision": _DECISION,
    "mismatch_p_value": "DOUBLE",
    "states": "MAP<STRING, BIGINT>",
}
"""Where there is no number there is null, and `undefined` says why; never NaN or infinity."""


def result_rows(
    experiment: Experiment,
    observed: Observed,
    result: ExperimentResult,
    states: Mapping[str, int],
) -> Iterator[dict[str, Any]]:
    """Yield a row for each variant and metric.

    Args:
        experiment: its definition.
        observed: observations that were analysed.
        result: result of the analysis.
        states: number of users of gold.experiment_user, by state.

    Yields:
        Values by name of COLUMNS; a missing column stands for null.
    """
    users = {name: observed.arms.get(name, NOBODY).sums.count for name in experiment.weights}
    for one in result.results:
        yield {
            "experiment_id": experiment.id,
            "variant": one.variant,
            "metric": one.metric,
            "computed_at": observed.at,
            "role": "goal" if isinstance(one.judgement, Goal) else "guardrail",
            "judgement": str(one.judgement),
            "control": _finite(one.control),
            "treatment": _finite(one.treatment),
            "control_users": users[experiment.control],
            "treatment_users": users[one.variant],
            **_evidence(one),
            "variant_decision": _decision(result.decisions[one.variant]),
            "decision": _decision(result.decision),
            "mismatch_p_value": _finite(result.mismatch_p_value),
            "states": dict(states),
        }


def _evidence(one: MetricResult) -> dict[str, Any]:
    """The columns of the evidence, or `undefined`."""
    evidence = one.evidence
    if isinstance(evidence, Undefined):
        return {"undefined": str(evidence)}
    return _numbers(evidence)


def _numbers(evidence: Evidence) -> dict[str, Any]:
    """The numeric columns of the evidence."""
    return {
        "lift": _estimate(evidence.lift),
        "difference": _estimate(evidence.difference),
        "adjusted_p_value": _finite(evidence.adjusted_p_value),
        "chance_to_win": _finite(evidence.chance_to_win),
        "minimum_detectable_lift": _finite(evidence.minimum_detectable_lift),
        "days_to_decision": evidence.days_to_decision,
    }


def _estimate(one: Estimate) -> dict[str, float | None]:
    """An estimate as its struct."""
    return {
        "value": _finite(one.value),
        "lower": _finite(one.lower),
        "upper": _finite(one.upper),
        "p_value": _finite(one.p_value),
    }


def _decision(one: Decision) -> dict[str, Any]:
    """A decision as its struct."""
    return {"verdict": str(one.verdict), "reasons": [str(reason) for reason in one.reasons]}


def _finite(number: float | None) -> float | None:
    """Replace NaN and infinity by None."""
    return None if number is None or not math.isfinite(number) else float(number)
