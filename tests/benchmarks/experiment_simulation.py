"""Simulated experiments with a known effect: users who arrive by the hour, and what they do.

Half of the arrivals are treated, by a coin. Every outcome of a treated user is (1 + lift) times
as large in expectation, so the true relative effect on every metric is the lift.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from transforms.experiments.effects import Undefined
from transforms.experiments.quantiles import BELOW, EVENTS, QuantileSample, sample_quantile
from transforms.experiments.sums import Sums

HOURS = 14 * 24
MINUTES_A_PLAY, CONVERSION, LEVEL = 12, 0.3, 0.8
MEAN_HABIT = 20
WATCH, PLAYS, WATCH_BEFORE, PLAYS_BEFORE, CONVERTED = "y", "d", "x", "d0", "s"

# of plays, 1 + Poisson(3 habit) with habit ~ Gamma(2, 1/2), and of taste ~ Gamma(4, 1/4)
MEAN_PLAYS, VAR_PLAYS, VAR_TASTE = 4, 3 + 9 / 2, 1 / 4


@dataclass(frozen=True)
class Simulated:
    """The users of one experiment, in no order.

    Attributes:
        lift: the true relative effect.
        hour: of arrival, for each user.
        treated: whether the coin chose the treatment, for each user.
        variables: integer outcomes and covariates, for each user.
        session_s: the length of each play in seconds; user i's plays are those of `owner` i.
        owner: the user of each play.
    """

    lift: float
    hour: np.ndarray
    treated: np.ndarray
    variables: dict[str, np.ndarray]
    session_s: np.ndarray
    owner: np.ndarray

    def looks(
        self, treated: bool, names: Sequence[str], hours: Iterable[int] = range(HOURS)
    ) -> list[Sums]:
        """The sums of one arm at the end of every hour, or of some."""
        mine = self.treated == treated
        columns = {name: self.variables[name][mine] for name in names}
        count = self._by_hour(mine, np.ones(mine.sum()))
        totals = {name: self._by_hour(mine, column) for name, column in columns.items()}
        products = {
            (a, b): self._by_hour(mine, columns[a] * columns[b])
            for a, b in combinations_with_replacement(names, 2)
        }
        return [
            Sums(
                count[hour],
                {name: total[hour] for name, total in totals.items()},
                {pair: product[hour] for pair, product in products.items()},
            )
            for hour in hours
        ]

    def quantile(self, treated: bool) -> QuantileSample | Undefined:
        """The quantile of the lengths of one arm's plays, robust to several plays a user."""
        mine = self.treated[self.owner] == treated
        lengths, owners = self.session_s[mine], self.owner[mine]
        values, counts = np.unique(lengths, return_counts=True)
        histogram = dict(zip(values.tolist(), counts.tolist(), strict=True))
        point = sample_quantile(histogram, LEVEL)
        if isinstance(point, Undefined):
            return point
        below, events = (
            np.bincount(owners, weights, minlength=len(self.treated))[self.treated == treated]
            for weights in (lengths <= point.value, None)
        )
        clusters = Sums.of(**{BELOW: below.astype(int), EVENTS: events})
        return sample_quantile(histogram, LEVEL, clusters)

    def _by_hour(self, mine: np.ndarray, column: np.ndarray) -> list[int]:
        """Sums of integers below 2**53, exact in floating point."""
        hourly = np.bincount(self.hour[mine], column, minlength=HOURS)
        return np.cumsum(hourly).astype(np.int64).tolist()


def simulate(rng: np.random.Generator, users: int, lift: float) -> Simulated:
    """One experiment.

    Args:
        rng: where chance comes from.
        users: of both arms together, arriving evenly over HOURS.
        lift: the true relative effect.
    """
    treated = rng.random(users) < 0.5
    growth = 1 + lift * treated
    habit, taste = rng.gamma(2, 1 / 2, users), rng.gamma(4, VAR_TASTE, users)
    plays, plays_before = (1 + rng.poisson(3 * habit) for _ in range(2))
    owner = np.repeat(np.arange(users), plays)
    spread = rng.normal(0, 0.4, users)[owner] + rng.normal(0, 0.6, len(owner))
    variables = {
        WATCH: rng.poisson(MINUTES_A_PLAY * plays * taste * growth),
        PLAYS: plays,
        WATCH_BEFORE: rng.poisson(MINUTES_A_PLAY * plays_before * taste),
        PLAYS_BEFORE: plays_before,
        CONVERTED: (rng.random(users) < CONVERSION * growth).astype(np.int64),
    }
    session_s = np.rint(2000 * growth[owner] * np.exp(spread)).astype(np.int64)
    return Simulated(lift, rng.integers(0, HOURS, users), treated, variables, session_s, owner)


def simulate_habits(rng: np.random.Generator, users: int, lift: float) -> tuple[Sums, Sums]:
    """Control and treatment of one experiment whose outcome follows what users did before.

    The effect is the same for every user, so that CUPED's coefficient is the same in both arms.

    Args:
        rng: where chance comes from.
        users: of each arm.
        lift: the true relative effect.
    """
    arms = []
    for added in (0, lift):
        habit = MEAN_HABIT * rng.gamma(2, 1 / 2, users)
        watch, before = rng.poisson(habit + MEAN_HABIT * added), rng.poisson(habit)
        arms.append(Sums.of(**{WATCH: watch.tolist(), WATCH_BEFORE: before.tolist()}))
    control, treatment = arms
    return control, treatment


def relative_std_error(users: int, lift: float) -> float:
    """Of the mean watch time's lift: the delta method on the population's moments, not a sample's.

    Watch time is Poisson(m a), a the product of plays and taste: its mean is m E[a] and its
    variance m E[a] + m² var(a).
    """
    var_a = (VAR_PLAYS + MEAN_PLAYS**2) * (VAR_TASTE + 1) - MEAN_PLAYS**2

    def variance(m: float) -> float:
        return m * MEAN_PLAYS + m**2 * var_a

    control = variance(MINUTES_A_PLAY) * (1 + lift) ** 2
    treatment = variance(MINUTES_A_PLAY * (1 + lift))
    return ((control + treatment) / (users / 2)) ** 0.5 / (MINUTES_A_PLAY * MEAN_PLAYS)
