"""Impact: what users and decision makers would notice if readers switched generations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.runtime.errors import SettingsError
from jobs.runtime.experiments.results import compute_results, newest_pins, refuse_stale
from jobs.runtime.lake.generations import generations
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_USER, RECOMMENDATIONS
from jobs.runtime.pipeline.gold import read_gold
from transforms.experiments.definitions import Catalogue
from transforms.gold.impact import business_by_date, features_moved, lists_changed
from transforms.gold.tables import BUSINESS_DAY, USER_FEATURES

PERCENT, TOP = 5, 10


@dataclass(frozen=True)
class Decisions:
    """An experiment's verdict on each side.

    Attributes:
        experiment_id: id of the experiment.
        old: the verdict in the old generation; None if nobody is exposed there.
        new: the verdict in the new generation; None if nobody is exposed there.
    """

    experiment_id: str
    old: str | None
    new: str | None

    @property
    def flipped(self) -> bool:
        """Whether the verdicts differ."""
        return self.old != self.new


@dataclass(frozen=True)
class Impact:
    """The differences that a switch would make visible.

    Attributes:
        old: number of the generation that readers see.
        new: number of the generation that they would be switched to.
        users: number of users with features, on either side.
        moved: number of users by feature that moved; `any`: at least one of them.
        lists: rows of `lists_changed`; None if the new generation has no lists of its own.
        decisions: verdicts of every experiment with exposed users.
        days: rows of `business_by_date`.
    """

    old: int
    new: int
    users: int
    moved: Mapping[str, int]
    lists: Sequence[Mapping[str, Any]] | None
    decisions: Sequence[Decisions]
    days: Sequence[Mapping[str, Any]]

    def total(self, name: str) -> tuple[int, int]:
        """A business total over all days, old and new."""
        old, new = (sum(int(day[f"{side}_{name}"]) for day in self.days) for side in ("old", "new"))
        return old, new


def impact(
    lake: Lake, old: int, new: int, definitions: Catalogue, *, percent: int, top: int, at: datetime
) -> Impact:
    """Compute what a switch from one generation to another would change; nothing is written.

    Args:
        lake: any generation of the lake.
        old: number of the generation that readers see.
        new: number of the generation that they would be switched to.
        definitions: definitions of the experiments.
        percent: least change that counts as moved, in percent of a feature's old value.
        top: number of titles at the top of a list that are compared.
        at: instant that the experiments' results are as of.

    Raises:
        SettingsError: there is no such generation, or it has no gold.
        DataError: experiments are attributed by earlier definitions.
    """
    before, after = (_generation(lake, number) for number in (old, new))
    moves = features_moved(
        read_gold(before, USER_FEATURES), read_gold(after, USER_FEATURES), percent
    )
    moved = moves.collect()[0].asDict()
    days = business_by_date(read_gold(before, BUSINESS_DAY), read_gold(after, BUSINESS_DAY))
    was, would_be = (_verdicts(side, definitions, at) for side in (before, after))
    return Impact(
        old,
        new,
        moved.pop("users"),
        moved,
        changed_lists(before, after, top),
        [Decisions(n, was.get(n), would_be.get(n)) for n in sorted({*was, *would_be})],
        [day.asDict() for day in days.collect()],
    )


def changed_lists(old: Lake, new: Lake, top: int) -> list[dict[str, Any]] | None:
    """The recommendation lists that differ between two generations.

    Args:
        old: the old generation.
        new: the new generation.
        top: number of titles at the top of a list that are compared.

    Returns:
        Rows of `lists_changed`; None if one side has no lists or both have the same ones.
    """
    if not all(side.has(RECOMMENDATIONS) for side in (old, new)):
        return None
    origins = [side.read(RECOMMENDATIONS).select("built_from").first() for side in (old, new)]
    if None in origins or origins[0] == origins[1]:
        return None
    changed = lists_changed(old.read(RECOMMENDATIONS), new.read(RECOMMENDATIONS), top)
    return [row.asDict() for row in changed.collect()]


def _generation(lake: Lake, number: int) -> Lake:
    """The lake pinned to a generation that can be compared.

    Raises:
        SettingsError: there is no such generation, or it has no gold.
    """
    known = generations(lake)
    side = lake.of_generation(number)
    if number not in known or known[number].is_retired or not side.has("gold.user_features"):
        ready = ", ".join(str(g.number) for g in known.values() if g.is_complete)
        raise SettingsError(
            f"the lake has no gold of generation {number}", f"compare two of: {ready}"
        )
    return side


def _verdicts(lake: Lake, definitions: Catalogue, at: datetime) -> dict[str, str]:
    """The verdict of each experiment that has started and has exposed users, by id."""
    if not lake.has(EXPERIMENT_USER):
        return {}
    exposed = {
        row[0] for row in lake.read(EXPERIMENT_USER).select("experiment_id").distinct().collect()
    }
    wanted = {
        name: definitions.definition(name)
        for name, experiment in definitions.experiments.items()
        if name in exposed and experiment.start <= at
    }
    if not wanted:
        return {}
    pins = newest_pins(lake)
    refuse_stale(lake, definitions, pins)
    rows = compute_results(lake, wanted, pins, at)
    return {row["experiment_id"]: row["decision"]["verdict"] for row in rows}
