from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import tea_tasting
from tea_tasting.experiment import ExperimentResult

from transforms.experiments.multiplicity import Correction, adjust


class Result(NamedTuple):
    pvalue: float


HOLM = partial(tea_tasting.adjust_fwer, arbitrary_dependence=True, method="bonferroni")


def tea_tastings(results, p_values: list[float]) -> list[float]:
    metrics = ExperimentResult({str(i): Result(p) for i, p in enumerate(p_values)})
    (adjusted,) = results(metrics).values()
    return [adjusted[str(i)]["pvalue_adj"] for i in range(len(p_values))]


def test_published_benjamini_hochberg():
    """growthbook/growthbook, packages/shared/test/experiments.test.ts."""
    p_values = [0.005, 0.06, 0.007, 0.04, 0.01, 0.03]

    adjusted = adjust(p_values, Correction.BENJAMINI_HOCHBERG)

    assert [round(p, 12) for p in adjusted] == [0.02, 0.06, 0.02, 0.048, 0.02, 0.045]


def test_holm_by_hand():
    """The smallest of four times 4, the next times 3, then 2, then 1; never falling; at most 1."""
    assert adjust([0.04, 0.01, 0.9, 0.03], Correction.HOLM) == [0.09, 0.04, 0.9, 0.09]
    assert adjust([0.5, 0.6], Correction.HOLM) == [1, 1]


@pytest.mark.parametrize("seed", range(10))
def test_both_are_tea_tastings(seed):
    p_values = (np.random.default_rng(seed).random(9) ** 3).tolist()

    assert adjust(p_values, Correction.HOLM) == pytest.approx(
        tea_tastings(HOLM, p_values), rel=1e-9
    )
    assert adjust(p_values, Correction.BENJAMINI_HOCHBERG) == pytest.approx(
        tea_tastings(tea_tasting.adjust_fdr, p_values), rel=1e-9
    )


@pytest.mark.parametrize("correction", Correction)
def test_one_p_value_is_left_alone_and_none_is_none(correction):
    assert adjust([0.03], correction) == [0.03]
    assert adjust([], correction) == []
