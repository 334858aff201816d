"""Compare: what people would notice if readers were switched from one generation to another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import plotly.graph_objects as go

from jobs.runtime.cli import AwareInstant, PageFile, job
from jobs.runtime.definitions import load_definitions
from jobs.runtime.errors import SettingsError
from jobs.runtime.experiment_results import compute, newest, refuse_stale
from jobs.runtime.figures import BLUE, GOLD, RED, html_of, styled, write_page
from jobs.runtime.generations import generations
from jobs.runtime.gold import read_gold
from jobs.runtime.lake import Lake
from jobs.runtime.session import spark_session
from jobs.runtime.settings import Settings
from jobs.runtime.tables import EXPERIMENT_USER, RECOMMENDATIONS
from transforms.experiments.definitions import Catalogue
from transforms.gold.impact import FEATURES, TOTALS, business_by_date, features_moved, lists_changed
from transforms.gold.tables import BUSINESS_DAY, USER_FEATURES

PERCENT, TOP = 5, 10


@dataclass(frozen=True)
class Decisions:
    """What an experiment comes to on each side; None where nobody is exposed."""

    experiment_id: str
    old: str | None
    new: str | None

    @property
    def flipped(self) -> bool:
        """Is it another verdict?"""
        return self.old != self.new


@dataclass(frozen=True)
class Impact:
    """What people would notice.

    Attributes:
        old: the generation that readers see.
        new: the one that they would be switched to.
        users: with features, on either side.
        moved: users by feature that moved; `any`: at least one of them.
        lists: the rows of `lists_changed`; None without lists of the new generation's own.
        decisions: of every experiment with exposed users.
        days: the rows of `business_by_date`.
    """

    old: int
    new: int
    users: int
    moved: Mapping[str, int]
    lists: Sequence[Mapping[str, Any]] | None
    decisions: Sequence[Decisions]
    days: Sequence[Mapping[str, Any]]

    def total(self, name: str) -> tuple[int, int]:
        """A business total, old and new."""
        old, new = (sum(int(day[f"{side}_{name}"]) for day in self.days) for side in ("old", "new"))
        return old, new


@job
@click.argument("old", type=click.IntRange(min=1))
@click.argument("new", type=click.IntRange(min=1))
@click.option(
    "--percent",
    type=click.IntRange(min=0),
    default=PERCENT,
    show_default=True,
    help="A number moved if it changed by more than so much of its old value.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=TOP,
    show_default=True,
    help="How much of a list people see.",
)
@click.option(
    "--at",
    type=AwareInstant(),
    metavar="INSTANT",
    default=lambda: datetime.now(UTC).isoformat(),
    help="The instant that the decisions are of. Default: now.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--page", type=PageFile(), help="Write a page, and JSON beside it.")
def main(
    settings: Settings,
    old: int,
    new: int,
    percent: int,
    top: int,
    at: datetime,
    as_json: bool,
    page: Path | None,
) -> None:
    """Tell what would change for people if readers went from generation OLD to NEW.

    Features of users that moved, top lists of recommendations that changed, decisions of
    experiments that flipped, and business totals. Nothing is written; parity, which says why rows
    differ, is the matter of python -m jobs.recompute. Lists are compared if NEW has lists of its
    own: python -m jobs.score --set lake.generation=NEW makes them.
    """
    lake = Lake(spark_session("compare", settings.spark), settings.lake.root)
    found = impact(lake, old, new, load_definitions(), percent=percent, top=top, at=at)
    if page is not None:
        write_impact(found, page)
    if as_json:
        click.echo(_json(found))
        return
    for line in _lines(found):
        click.echo(line)


def impact(
    lake: Lake, old: int, new: int, definitions: Catalogue, *, percent: int, top: int, at: datetime
) -> Impact:
    """What a switch from one generation to another would change; nothing is written.

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
        lists(before, after, top),
        [Decisions(n, was.get(n), would_be.get(n)) for n in sorted({*was, *would_be})],
        [day.asDict() for day in days.collect()],
    )


def lists(old: Lake, new: Lake, top: int) -> list[dict[str, Any]] | None:
    """The rows of `lists_changed`; None if one side has no lists or both have the same ones."""
    if not all(side.has(RECOMMENDATIONS) for side in (old, new)):
        return None
    origins = [side.read(RECOMMENDATIONS).select("built_from").first() for side in (old, new)]
    if None in origins or origins[0] == origins[1]:
        return None
    changed = lists_changed(old.read(RECOMMENDATIONS), new.read(RECOMMENDATIONS), top)
    return [row.asDict() for row in changed.collect()]


def write_impact(found: Impact, file: Path) -> None:
    """Write the page of a comparison, and beside it the same as JSON."""
    figures = {"moved": _moved(found), "watched": _watched(found)}
    if found.lists:
        figures["churn"] = _churn(found.lists)
    drawn = {name: html_of(styled(figure)) for name, figure in figures.items()}
    write_page(file, "compare.html", found=found, totals=TOTALS, figures=drawn)
    file.with_suffix(".json").write_text(_json(found), encoding="utf-8")


def told(found: Impact) -> dict[str, Any]:
    """A comparison as a JSON document."""
    return {**asdict(found), "totals": {name: found.total(name) for name in TOTALS}}


def _json(found: Impact) -> str:
    return json.dumps(told(found), indent=2, default=str)


def _generation(lake: Lake, number: int) -> Lake:
    known = generations(lake)
    side = lake.of_generation(number)
    if number not in known or known[number].is_retired or not side.has("gold.user_features"):
        ready = ", ".join(str(g.number) for g in known.values() if g.is_complete)
        raise SettingsError(
            f"the lake has no gold of generation {number}", f"compare two of: {ready}"
        )
    return side


def _verdicts(lake: Lake, definitions: Catalogue, at: datetime) -> dict[str, str]:
    """The decision about each experiment that has started and has exposed users."""
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
    pins = newest(lake)
    refuse_stale(lake, definitions, pins)
    rows = compute(lake, wanted, pins, at)
    return {row["experiment_id"]: row["decision"]["verdict"] for row in rows}


def _lines(found: Impact) -> Iterator[str]:
    yield f"generation {found.old} to {found.new}"
    yield f"users of whom a feature moved: {_of(found.moved['any'], found.users)}"
    for name in FEATURES:
        yield f"  {name:<24} {_of(found.moved[name], found.users)}"
    if found.lists is None:
        yield "lists: the new generation has none of its own yet"
    for row in found.lists or ():
        replaced = _of(row["replaced"], row["titles"])
        yield (
            f"lists {row['context_type']:<20} {_of(row['changed'], row['lists'])} changed, "
            f"{replaced} titles replaced"
        )
    for one in found.decisions:
        mark = "FLIPPED" if one.flipped else "same"
        yield f"experiment {one.experiment_id}: {one.old} -> {one.new} ({mark})"
    for name in TOTALS:
        old, new = found.total(name)
        yield f"total {name:<26} {old:>14,} -> {new:>14,} ({new - old:+,})"


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" + (f" ({part / whole:.2%})" if whole else "")


def _moved(found: Impact) -> go.Figure:
    shares = [100 * found.moved[name] / max(found.users, 1) for name in FEATURES]
    bars = go.Bar(x=shares[::-1], y=FEATURES[::-1], orientation="h", marker_color=BLUE)
    return go.Figure(bars).update_layout(
        xaxis_title="users of whom it moved, %", xaxis_rangemode="nonnegative"
    )


def _churn(lists: Sequence[Mapping[str, Any]]) -> go.Figure:
    figure = go.Figure()
    for name, part, whole, colour in (
        ("lists changed", "changed", "lists", RED),
        ("titles replaced", "replaced", "titles", GOLD),
    ):
        shares = [100 * row[part] / max(row[whole], 1) for row in lists]
        figure.add_bar(x=[row["context_type"] for row in lists], y=shares, name=name,
                       marker_color=colour)  # fmt: skip
    return figure.update_layout(yaxis_title="share, %")


def _watched(found: Impact) -> go.Figure:
    figure = go.Figure()
    for side, colour in (("old", BLUE), ("new", RED)):
        hours = [day[f"{side}_watch_s"] / 3600 for day in found.days]
        figure.add_scatter(x=[day["date"] for day in found.days], y=hours, name=side,
                           mode="lines+markers", line_color=colour)  # fmt: skip
    return figure.update_layout(yaxis_title="hours watched")


if __name__ == "__main__":
    main()
