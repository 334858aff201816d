"""Sample ratio mismatch: a test of whether the arms got their intended shares of users.

If not, users were lost or added in one arm, and no other result of the experiment can be trusted
(Fabijan and others 2019, "Diagnosing sample ratio mismatch in online controlled experiments").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from scipy.special import chdtrc, gammaln

from transforms.experiments.effects import Undefined

Weights = Mapping[str, float | Decimal]
LEAST_EXPECTED = 5
"""Users expected in every arm before the chi-square approximation holds (Cochran 1954)."""


def chi_square(counts: Mapping[str, int], weights: Weights) -> float | Undefined:
    """P-value of Pearson's chi-square test, for one look.

    Args:
        counts: users by variant; a variant without users may be missing.
        weights: intended share of each variant, in any unit, all positive.

    Returns:
        The p-value; TOO_FEW_UNITS if an arm expects fewer than LEAST_EXPECTED users.

    Raises:
        ValueError: users in a variant that has no weight, or a weight that is not positive.
    """
    shares, total = _shares(counts, weights), sum(counts.values())
    if total == 0 or total * min(shares.values()) < LEAST_EXPECTED:
        return Undefined.TOO_FEW_UNITS
    statistic = sum(
        (counts.get(variant, 0) - total * share) ** 2 / (total * share)
        for variant, share in shares.items()
    )
    return float(chdtrc(len(shares) - 1, statistic))


def anytime_p_value(
    counts: Mapping[str, int], weights: Weights, *, concentration: float = 10_000
) -> float:
    """P-value of the sample ratio that stays valid over any number of looks.

    Lindon and Malek 2022, "Anytime-valid inference for multinomial count data", NeurIPS: the
    Bayes factor of multinomial counts whose shares have a Dirichlet prior around the intended
    ones, against exactly the intended ones, is a martingale if there is no mismatch; by Ville's
    inequality it ever exceeds 1/p with probability p at most. It depends on the counts so far
    alone, so no history is needed; a running minimum over the looks is valid too.

    Args:
        counts: users by variant so far.
        weights: intended share of each variant, in any unit, all positive.
        concentration: concentration of the prior, in users; the greater, the smaller the mismatch
            that is detected best. 10,000 is GrowthBook's.

    Returns:
        The p-value, at most 1.

    Raises:
        ValueError: users in a variant that has no weight, or a weight that is not positive.
    """
    shares, total = _shares(counts, weights), sum(counts.values())
    log_factor = gammaln(concentration) - gammaln(concentration + total)
    for variant, share in shares.items():
        seen, prior = counts.get(variant, 0), concentration * share
        log_factor += gammaln(prior + seen) - gammaln(prior) - seen * math.log(share)
    return min(1.0, math.exp(-log_factor)) if log_factor > 0 else 1.0


def _shares(counts: Mapping[str, int], weights: Weights) -> dict[str, float]:
    """Intended share of each variant, normalised to sum to 1.

    Raises:
        ValueError: users in a variant that has no weight, or a weight that is not positive.
    """
    unknown = counts.keys() - weights.keys()
    if unknown:
        raise ValueError(
            f"users in {sorted(unknown)}, which is no variant; defined: {sorted(weights)}"
        )
    if min(weights.values(), default=0) <= 0:
        raise ValueError(f"weights must be positive: {dict(weights)}")
    whole = sum(float(weight) for weight in weights.values())
    return {variant: float(weight) / whole for variant, weight in weights.items()}
