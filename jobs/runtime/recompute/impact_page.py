"""The impact of a switch as an HTML page, as JSON and as lines of text."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from jobs.runtime.experiments.definitions import load_definitions
from jobs.runtime.lake.lake import Lake
from jobs.runtime.pages import BLUE, GOLD, RED, apply_style, html_of, write_page
from jobs.runtime.recompute.impact import PERCENT, TOP, Impact, impact
from transforms.gold.impact import FEATURES, TOTALS


def write_impact(found: Impact, file: Path) -> None:
    """Write the page of an impact, and the same as JSON beside it.

    Args:
        found: the impact.
        file: path of the page; the JSON has the suffix .json.
    """
    figures = {"moved": _moved_figure(found), "watched": _watched_figure(found)}
    if found.lists:
        figures["churn"] = _churn_figure(found.lists)
    drawn = {name: html_of(apply_style(figure)) for name, figure in figures.items()}
    write_page(file, "compare.html", found=found, totals=TOTALS, figures=drawn)
    file.with_suffix(".json").write_text(as_json_text(found), encoding="utf-8")


def impact_document(found: Impact) -> dict[str, Any]:
    """An impact as a JSON document, with the totals."""
    return {**asdict(found), "totals": {name: found.total(name) for name in TOTALS}}


def as_json_text(found: Impact) -> str:
    """An impact as the text of a JSON document."""
    return json.dumps(impact_document(found), indent=2, default=str)


def impact_lines(found: Impact) -> Iterator[str]:
    """An impact as lines of text."""
    yield f"generation {found.old} to {found.new}"
    yield f"users of whom a feature moved: {_share_text(found.moved['any'], found.users)}"
    for name in FEATURES:
        yield f"  {name:<24} {_share_text(found.moved[name], found.users)}"
    if found.lists is None:
        yield "lists: the new generation has none of its own yet"
    for row in found.lists or ():
        replaced = _share_text(row["replaced"], row["titles"])
        yield (
            f"lists {row['context_type']:<20} {_share_text(row['changed'], row['lists'])} changed, "
            f"{replaced} titles replaced"
        )
    for one in found.decisions:
        mark = "FLIPPED" if one.flipped else "same"
        yield f"experiment {one.experiment_id}: {one.old} -> {one.new} ({mark})"
    for name in TOTALS:
        old, new = found.total(name)
        yield f"total {name:<26} {old:>14,} -> {new:>14,} ({new - old:+,})"


def _share_text(part: int, whole: int) -> str:
    """A count as text, with the whole and the percentage, such as `1 of 4 (25.00%)`."""
    return f"{part:,} of {whole:,}" + (f" ({part / whole:.2%})" if whole else "")


def _moved_figure(found: Impact) -> go.Figure:
    """Bars of the share of users whose features moved, in percent."""
    shares = [100 * found.moved[name] / max(found.users, 1) for name in FEATURES]
    bars = go.Bar(x=shares[::-1], y=FEATURES[::-1], orientation="h", marker_color=BLUE)
    return go.Figure(bars).update_layout(
        xaxis_title="users of whom it moved, %", xaxis_rangemode="nonnegative"
    )


def _churn_figure(lists: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Bars of the share of lists changed and titles replaced, in percent, by context."""
    figure = go.Figure()
    for name, part, whole, colour in (
        ("lists changed", "changed", "lists", RED),
        ("titles replaced", "replaced", "titles", GOLD),
    ):
        shares = [100 * row[part] / max(row[whole], 1) for row in lists]
        figure.add_bar(x=[row["context_type"] for row in lists], y=shares, name=name,
                       marker_color=colour)  # fmt: skip
    return figure.update_layout(yaxis_title="share, %")


def _watched_figure(found: Impact) -> go.Figure:
    """Hours watched by date, old and new."""
    figure = go.Figure()
    for side, colour in (("old", BLUE), ("new", RED)):
        hours = [day[f"{side}_watch_s"] / 3600 for day in found.days]
        figure.add_scatter(x=[day["date"] for day in found.days], y=hours, name=side,
                           mode="lines+markers", line_color=colour)  # fmt: skip
    return figure.update_layout(yaxis_title="hours watched")


log = logging.getLogger(__name__)


def report_on(lake: Lake, built: Lake, page: Path) -> None:
    """Write the page of what a switch from `lake` to `built` would change.

    Args:
        lake: the generation that readers see.
        built: the generation that they would be switched to.
        page: path of the page.
    """
    now, numbers = datetime.now(UTC), (lake.generation, built.generation)
    found = impact(lake, *numbers, load_definitions(), percent=PERCENT, top=TOP, at=now)
    write_impact(found, page)
    log.info("what people would notice: %s", page)
