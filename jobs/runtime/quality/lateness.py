"""Lateness: what a watermark or a look-back of each length would have missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.pages import BLUE, GOLD, apply_style, html_of
from transforms.events.bronze import PLACE
from transforms.gold.facts import FACT_SOURCES, facts
from transforms.gold.fold import evaluate
from transforms.gold.lateness import RULES, SECOND_US, late_ledger, lateness

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


COLOURS = {"watermark": BLUE, "lookback": GOLD}


@dataclass(frozen=True)
class Missed:
    """What a rule of one length would have missed.

    Attributes:
        rule: `watermark` or `lookback`.
        delay_s: the rule's length in seconds.
        events: number of events missed.
        watch_s: their seconds watched.
    """

    rule: str
    delay_s: int
    events: int
    watch_s: int


@dataclass(frozen=True)
class Lateness:
    """The late ledger of a lake.

    Attributes:
        events: number of all events.
        watch_s: seconds watched, of all events.
        longest_s: shortest length in whole seconds that would have missed nothing, by rule.
        missed: what would have been missed, by rule and delay.
        days: rows of `late_ledger`, in order of date.
    """

    events: int
    watch_s: int
    longest_s: Mapping[str, int]
    missed: Sequence[Missed]
    days: Sequence[Mapping[str, Any]]


def measure_lateness(lake: Lake, delays_s: Sequence[int]) -> Lateness:
    """The late ledger of a lake's newest silver.

    Args:
        lake: the lake to measure.
        delays_s: lengths of the rules, in seconds.

    Raises:
        DataError: silver does not exist or holds no event.
    """
    lake.require(*FACT_SOURCES)
    rows = facts({table: lake.read(table) for table in FACT_SOURCES}, *PLACE)
    by_date = evaluate(late_ledger(delays_s), lateness(rows)).orderBy("date")
    days = [row.asDict() for row in by_date.collect()]
    if not days:
        raise DataError("silver holds no playback or rating", "python -m jobs.refine fills it")
    missed = [
        Missed(rule, delay, _sum(days, f"{rule}_{delay}s_events"),
               _sum(days, f"{rule}_{delay}s_watch_s"))
        for rule in RULES
        for delay in delays_s
    ]  # fmt: skip
    longest = {r: max(-(-day[m] // SECOND_US) for day in days) for r, m in RULES.items()}
    return Lateness(_sum(days, "events"), _sum(days, "watch_s"), longest, missed, days)


def span(seconds: int) -> str:
    """A length of time in the greatest unit that divides it, such as `90m` or `2d`."""
    unit = next((u for u in "dhm" if seconds and seconds % UNITS_S[u] == 0), "s")
    return f"{seconds // UNITS_S[unit]:,}{unit}"


def _sum(days: Sequence[Mapping[str, Any]], name: str) -> int:
    """The sum of one column over the days."""
    return sum(int(day[name]) for day in days)


def lateness_lines(found: Lateness) -> Iterator[str]:
    """A late ledger as lines of text."""
    yield f"{found.events:,} events, {found.watch_s:,} seconds watched"
    yield f"{'rule':<10} {'length':>8} {'events missed':>14} {'share':>9} {'seconds missed':>15}"
    for one in found.missed:
        share = one.events / found.events
        yield (
            f"{one.rule:<10} {span(one.delay_s):>8} {one.events:>14,} {share:>9.3%} "
            f"{one.watch_s:>15,}"
        )
    for rule, seconds in found.longest_s.items():
        yield f"a {rule} of {span(seconds)} would have missed nothing"


def figures(found: Lateness) -> dict[str, str]:
    """The figures of the lateness page.

    Returns:
        HTML by name: `curve` and `days`.
    """
    return {
        "curve": html_of(apply_style(_curve(found))),
        "days": html_of(apply_style(_by_day(found))),
    }


def _curve(found: Lateness) -> go.Figure:
    """The share of events missed, in percent, by length."""
    figure = go.Figure()
    for rule, colour in COLOURS.items():
        own = [one for one in found.missed if one.rule == rule]
        figure.add_scatter(
            x=[span(one.delay_s) for one in own],
            y=[100 * one.events / found.events for one in own],
            mode="lines+markers",
            name=rule,
            line_color=colour,
        )
    return figure.update_layout(xaxis_title="length", yaxis_title="events missed, %")


def _by_day(found: Lateness) -> go.Figure:
    """The events that a watermark of each length would have missed, by UTC date of event time."""
    figure = go.Figure()
    for delay in dict.fromkeys(one.delay_s for one in found.missed):
        figure.add_bar(
            x=[day["date"] for day in found.days],
            y=[day[f"watermark_{delay}s_events"] for day in found.days],
            name=span(delay),
        )
    return figure.update_layout(yaxis_title="events missed", barmode="overlay")
