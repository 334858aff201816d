from __future__ import annotations

import pytest

from transforms.experiments.decision import Reason, Verdict
from transforms.experiments.effects import Undefined
from transforms.experiments.multiplicity import Correction
from transforms.experiments.words import CORRECTIONS, REASONS, UNDEFINED, VERDICTS, describe_result


def row(**differs):
    lift = {"value": 0.02, "lower": -0.01, "upper": 0.05, "p_value": 0.2}
    given = {"undefined": None, "role": "goal", "judgement": "undecided", "lift": lift}
    return {**given, **differs}


def test_there_are_words_for_everything():
    assert set(VERDICTS) == {str(verdict) for verdict in Verdict}
    assert set(REASONS) == {str(reason) for reason in Reason}
    assert set(CORRECTIONS) == {str(correction) for correction in Correction}
    assert set(UNDEFINED) == {str(reason) for reason in Undefined}


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({}, "not significant: any effect from -1.0 % to +5.0 % agrees with the data"),
        ({"judgement": "improved"}, "significantly better"),
        ({"judgement": "worsened"}, "significantly worse"),
        ({"role": "guardrail", "judgement": "holds"}, "is ruled out"),
        ({"role": "guardrail"}, "neither shown nor ruled out"),
        ({"undefined": "zero_variance", "lift": None}, "every user has the same value"),
        ({"lift": {"value": 0.1, "lower": None, "upper": None}}, "nothing is ruled out yet"),
    ],
)
def test_words_claim_no_more_than_the_numbers(differs, said):
    assert said in describe_result(row(**differs))


def test_not_significant_is_never_called_no_effect():
    assert "no effect" not in describe_result(row())
    assert "not the same as no effect" in REASONS["no_goal_improved"]
