"""The truth test in small: 100 A/A and 100 A/B experiments, 336 looks each, on a fixed seed.

The bounds are four Monte-Carlo errors of 100 experiments; `make bench SCENARIO=experiments` holds
ten times as many to a third of them.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.experiments import run


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return run(experiments=100)


def test_errors_coverage_and_power_are_what_theory_says(report):
    assert [check["name"] for check in report["checks"] if not check["holds"]] == []


def test_looking_every_hour_is_unsound_at_a_fixed_horizon_and_sound_when_always_valid(report):
    observed = {check["name"]: check["observed"] for check in report["checks"]}

    assert report["false_positives_peeking_at_a_fixed_horizon"] > 0.2
    assert observed["false_positives_peeking_always_valid"] <= 0.05


def test_a_lift_with_cuped_needs_the_variance_of_the_raw_control(report):
    assert report["std_error_of_cuped_lift_by_gbstats_0_8_0"] < 0.9
