from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
import scipy.stats

from transforms.experiments.effects import Undefined
from transforms.experiments.sample_ratio import anytime_p_value, chi_square

HALVES = {"a": Decimal("0.5"), "b": Decimal("0.5")}


def test_a_published_mismatch():
    """Fabijan and others 2019, an experiment of Microsoft's: 821,588 users against 815,482."""
    assert float(f"{chi_square({'a': 821_588, 'b': 815_482}, HALVES):.2e}") == 1.82e-6


@pytest.mark.parametrize("seed", range(20))
def test_chi_square_is_scipys(seed):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet([5, 5, 5])
    counts = rng.multinomial(5000, rng.dirichlet(500 * weights))
    names = "abc"

    p_value = chi_square(
        dict(zip(names, counts.tolist(), strict=True)),
        dict(zip(names, weights.tolist(), strict=True)),
    )

    assert p_value == pytest.approx(scipy.stats.chisquare(counts, 5000 * weights).pvalue, rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_anytime_p_value_is_the_ratio_of_scipys_likelihoods(seed):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet([5, 5, 5])
    counts = rng.multinomial(2000, rng.dirichlet(50 * weights))
    prior = scipy.stats.dirichlet_multinomial(300 * weights, 2000)
    null = scipy.stats.multinomial(2000, weights)
    names = "abc"

    p_value = anytime_p_value(
        dict(zip(names, counts.tolist(), strict=True)),
        dict(zip(names, weights.tolist(), strict=True)),
        concentration=300,
    )

    expected = math.exp(null.logpmf(counts) - prior.logpmf(counts))
    assert p_value == pytest.approx(min(1, expected), rel=1e-9)


def test_an_exact_split_never_alarms():
    assert anytime_p_value({"a": 50_000, "b": 50_000}, HALVES) == 1


def test_a_mismatch_beyond_any_doubt_has_a_p_value_of_zero_not_an_overflow():
    assert anytime_p_value({"a": 10**8, "b": 1}, HALVES) == 0


def test_a_variant_without_users_counts():
    assert anytime_p_value({"a": 1000}, HALVES) < 1e-6
    assert chi_square({"a": 1000}, HALVES) < 1e-200


@pytest.mark.parametrize("counts", [{}, {"a": 0, "b": 0}, {"a": 4, "b": 5}])
def test_too_few_users_for_chi_square_is_a_state(counts):
    assert chi_square(counts, HALVES) is Undefined.TOO_FEW_UNITS
    assert anytime_p_value(counts, HALVES) == 1


@pytest.mark.parametrize("test", [chi_square, anytime_p_value])
def test_an_unknown_variant_and_an_empty_weight_are_refused(test):
    with pytest.raises(ValueError, match=r"users in \['c'\], which is no variant"):
        test({"a": 50, "c": 50}, HALVES)
    with pytest.raises(ValueError, match="weights must be positive"):
        test({"a": 50, "b": 50}, {"a": 1, "b": 0})
