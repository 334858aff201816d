"""Results as sentences that claim no more than the numbers do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERDICTS = {
    "ship": "Ship it",
    "stop": "Stop it",
    "keep_running": "Keep it running",
    "invalid": "Do not use it",
}
REASONS = {
    "sample_ratio_mismatch": "the arms' sizes contradict the planned weights, so something decides "
    "who is counted; look there first",
    "contamination": "too many users were seen in two variants",
    "too_few_units": "an arm has too few users for anything to be said",
    "overlapping_change": "something that the definition forbids changed while it ran",
    "guardrail_broken": "a guardrail is shown to be worse than its margin allows",
    "goal_worsened": "a goal is shown to be worse",
    "no_goal_improved": "its planned end is reached and no goal is shown to improve; that is not "
    "the same as no effect",
    "guardrail_unproven": "its planned end is reached and harm to a guardrail is not ruled out",
    "goal_improved": "a goal is shown to improve, none to worsen, and every guardrail holds",
    "goals_undecided": "no goal is decided yet",
    "guardrails_undecided": "a guardrail is not decided yet",
    "before_planned_end": "a fixed horizon allows one look, at its end",
}
UNDEFINED = {
    "too_few_units": "no estimate: too few users",
    "zero_variance": "no estimate: every user has the same value",
    "zero_baseline": "no relative effect: the control's value is zero",
    "zero_denominator": "no estimate: nothing to divide by",
}
CORRECTIONS = {
    "holm": "Holm",
    "benjamini_hochberg": "Benjamini and Hochberg",
    "none": "not at all, by this plan",
}


def percent(share: float) -> str:
    """Format a relative effect as signed percent, such as +1.2 %."""
    return f"{100 * share:+.1f} %"


def describe_result(row: Mapping[str, Any]) -> str:
    """Describe the result of one metric in a phrase.

    Args:
        row: row of gold.experiment_results, of a goal or a guardrail.
    """
    if row["undefined"] is not None:
        return UNDEFINED[row["undefined"]]
    lower, upper = (row["lift"][end] for end in ("lower", "upper"))
    if lower is None or upper is None:
        return "nothing is ruled out yet"
    span = f"{percent(lower)} to {percent(upper)}"
    if row["role"] == "guardrail":
        return {
            "holds": "a loss beyond the margin is ruled out",
            "broken": "a loss beyond the margin is shown",
        }.get(row["judgement"], f"a loss beyond the margin is neither shown nor ruled out: {span}")
    if row["judgement"] == "undecided":
        return f"not significant: any effect from {span} agrees with the data, none included"
    direction = "better" if row["judgement"] == "improved" else "worse"
    return f"significantly {direction}: the effect is from {span}"
