"""Procedures against GrowthBook's published vectors, and against what defines them."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from tests.support.experiment_samples import RATIO_A, RATIO_B
from transforms.experiments.effects import Effect, compare, mean, proportion, ratio
from transforms.experiments.inference import Alternative, AlwaysValid, FixedHorizon
from transforms.experiments.sums import Sums

TWO_SIDED, GREATER, LESS = Alternative
A = Sums(3000, {"x": Fraction("1396.87")}, {("x", "x"): Fraction("52377.9767")})
B = Sums(3461, {"x": Fraction("2422.7")}, {("x", "x"): Fraction("134698.29")})
LIFT = compare(A, B, mean("x"), relative=True)
DIFFERENCE = compare(A, B, mean("x"), relative=False)
SEQUENTIAL = AlwaysValid(0.05, tuning_units=5000)


def rounded(interval) -> tuple[float, float]:
    return tuple(round(end, 5) for end in interval)


class TestPublishedVectors:
    """growthbook/growthbook, packages/stats/tests/frequentist/test_tests.py."""

    def test_sequential_relative(self):
        procedure = AlwaysValid(0.05, tuning_units=1000)

        assert round(LIFT.estimate, 5) == 0.50336
        assert rounded(procedure.interval(LIFT)) == (-0.55844, 1.56516)
        assert procedure.p_value(LIFT) == 1

    def test_sequential_proportion(self):
        a = Sums(3000, {"x": 1396}, {("x", "x"): 1396})
        b = Sums(3461, {"x": 2422}, {("x", "x"): 2422})
        lift = compare(a, b, proportion("x"), relative=True)

        assert round(lift.estimate, 5) == 0.50386
        assert rounded(SEQUENTIAL.interval(lift)) == (0.40098, 0.60675)
        assert round(SEQUENTIAL.p_value(lift), 5) == 0

    def test_sequential_with_cuped(self):
        a, b = (
            Sums(
                arm.count,
                {**arm.totals, "x0": total},
                {**arm.products, ("x0", "x0"): squares, ("x", "x0"): 1},
            )
            for arm, total, squares in ((A, 16.87, 527.9767), (B, 22.7, 1348.29))
        )
        lift = compare(a, b, mean("x", "x0"), relative=True)

        assert round(lift.estimate, 5) == 0.50338
        assert rounded(SEQUENTIAL.interval(lift)) == (-0.50969, 1.51646)

    def test_sequential_ratio_with_cuped(self):
        lift = compare(RATIO_A, RATIO_B, ratio("m", "d", ("m0", "d0")), relative=True)

        assert rounded(SEQUENTIAL.interval(lift)) == (-0.02063, 0.01923)
        assert SEQUENTIAL.p_value(lift) == 1

    @pytest.mark.parametrize(
        ("effect", "procedure", "lower", "upper"),
        [
            (LIFT, FixedHorizon(0.05), -0.04514, 1.05186),
            (DIFFERENCE, FixedHorizon(0.05), 0.02079, 0.44796),
            (LIFT, SEQUENTIAL, -0.42356, 1.43029),
            (DIFFERENCE, SEQUENTIAL, -0.12657, 0.59532),
        ],
    )
    def test_one_sided(self, effect, procedure, lower, upper):
        assert rounded(procedure.interval(effect, GREATER)) == (lower, math.inf)
        assert rounded(procedure.interval(effect, LESS)) == (-math.inf, upper)

    @pytest.mark.parametrize(
        ("effect", "alternative", "expected"),
        [
            (LIFT, GREATER, 0.06558),
            (DIFFERENCE, GREATER, 0.03554),
            (LIFT, LESS, 0.93442),
            (DIFFERENCE, LESS, 0.96446),
        ],
    )
    def test_one_sided_p_values(self, effect, alternative, expected):
        p_value = FixedHorizon(0.05).p_value(effect, alternative=alternative)

        assert round(p_value, 5) == expected


@pytest.mark.parametrize("alternative", Alternative)
@pytest.mark.parametrize("procedure", [FixedHorizon(0.05), SEQUENTIAL])
def test_the_p_value_of_an_interval_s_end_is_alpha(procedure, alternative):
    ends = procedure.interval(LIFT, alternative)

    p_values = [
        procedure.p_value(LIFT, null=end, alternative=alternative)
        for end in ends
        if math.isfinite(end)
    ]

    assert p_values == pytest.approx([0.05] * len(p_values), rel=1e-9)


class TestConfidenceSequence:
    """Robbins' mixture, integrated numerically: the definition instead of its closed form."""

    effect = Effect(estimate=0.4, std_error=0.1, df=math.inf, count=700)

    def rho(self) -> float:
        """Makes the two-sided boundary tightest at tuning_units, by the paper's equation 161."""
        log = -2 * math.log(0.05)
        return math.sqrt((log + math.log(log + 1)) / 5000)

    def e_value(self, null: float) -> float:
        """The likelihood ratio against `null`, averaged over normal alternatives around it."""
        n, rho = self.effect.count, self.rho()
        z = (self.effect.estimate - null) / self.effect.std_error

        def weighted(shift: float) -> float:
            """Of the alternative that lies `shift` standard deviations of one unit away."""
            ratio = math.exp(z * shift * math.sqrt(n) - n * shift**2 / 2)
            return ratio * math.exp(-((shift / rho) ** 2) / 2) / (rho * math.sqrt(2 * math.pi))

        return quad(weighted, -1, 1, points=[0, 0.15], epsabs=1e-13, epsrel=1e-13)[0]

    def test_the_p_value_is_one_over_the_e_value(self):
        p_value = SEQUENTIAL.p_value(self.effect, null=0.05)

        assert p_value == pytest.approx(1 / self.e_value(0.05), rel=1e-9)

    def test_the_interval_holds_what_the_e_value_does_not_reject(self):
        lower = brentq(lambda null: self.e_value(null) - 1 / 0.05, -0.1, 0.2, xtol=1e-13)

        assert SEQUENTIAL.interval(self.effect).lower == pytest.approx(lower, rel=1e-9)

    def test_it_is_tightest_relative_to_the_fixed_horizon_at_its_tuning_units(self):
        def excess(count: int) -> float:
            return SEQUENTIAL.half_width(Effect(0, 1, math.inf, count))

        assert excess(5000) == pytest.approx(min(map(excess, range(100, 50_000, 100))), rel=1e-4)


@pytest.mark.parametrize("alternative", Alternative)
@pytest.mark.parametrize("procedure", [FixedHorizon(0.05), SEQUENTIAL])
@pytest.mark.parametrize("estimate", [-1e150, -40, -1e-200, 0, 1e-200, 40, 1e150])
def test_p_values_stay_between_0_and_1_however_far_the_effect(procedure, alternative, estimate):
    effect = Effect(estimate, std_error=1, df=30, count=1000)

    assert 0 <= procedure.p_value(effect, alternative=alternative) <= 1
