"""The readout of an experiment: one self-contained HTML page for decision makers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from pyspark.sql import functions as F

from jobs.runtime.experiments.looks import Look, instants, look_back
from jobs.runtime.experiments.results import arms_of, newest_results
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_USER
from jobs.runtime.pages import BLUE, GOLD, INK, RED, SILVER, apply_style, html_of, write_page
from transforms.experiments.analysis import Estimate, Evidence
from transforms.experiments.definitions import Experiment, parse_definition
from transforms.experiments.metrics import Metric
from transforms.experiments.segments import SegmentEffect, segment_effects
from transforms.experiments.words import (
    CORRECTIONS,
    REASONS,
    UNDEFINED,
    VERDICTS,
    describe_result,
    percent,
)

LOOKS = 10
DIMENSIONS = ("device_type", "region")
COLOURS = (BLUE, GOLD, RED, SILVER, INK)


def write_readout(lake: Lake, experiment_id: str, file: Path, looks: int = LOOKS) -> None:
    """Write the page of an experiment's newest results.

    Args:
        lake: the lake that holds gold.experiment_results.
        experiment_id: id of the experiment.
        file: path of the page.
        looks: number of instants, from the experiment's start to its results, that the page shows.

    Raises:
        SettingsError: the experiment has no results.
    """
    rows = newest_results(lake, experiment_id)
    origin = rows[0]["built_from"]
    experiment, metrics = parse_definition(origin["definition"])
    then = lake.of_generation(origin["generation"])
    at = instants(experiment, rows[0]["computed_at"], looks)
    seen = look_back(then, experiment, metrics, at)
    segments = by_segment(then, experiment, metrics, origin["experiment_user"])
    figures = {
        "lifts": _figure_html(lifts(rows)),
        "over_time": {goal: _figure_html(over_time(goal, seen)) for goal in experiment.goals},
        "arms": _figure_html(arms(experiment, seen)),
        "segments": {name: _figure_html(segment_lifts(found)) for name, found in segments.items()},
    }
    write_page(
        file,
        "experiment.html",
        experiment=experiment,
        metrics=metrics,
        rows=rows,
        first=rows[0],
        origin=origin,
        segments=segments,
        figures=figures,
        percent=percent,
        told=describe_result,
        verdicts=VERDICTS,
        reasons=REASONS,
        undefined=UNDEFINED,
        corrections=CORRECTIONS,
    )


def _figure_html(figure: go.Figure) -> str:
    """A figure as HTML, in the style of the pages."""
    return html_of(apply_style(figure))


def by_segment(
    lake: Lake, experiment: Experiment, metrics: Mapping[str, Metric], version: int
) -> dict[str, list[SegmentEffect]]:
    """The experiment's effects in segments of its users, by device type and by region.

    Args:
        lake: the generation that the results were computed from.
        experiment: the experiment.
        metrics: the experiment's metrics, by name.
        version: Delta version of gold.experiment_user.

    Returns:
        The effects of every segment, by name of the dimension (DIMENSIONS).
    """
    users = lake.read(EXPERIMENT_USER, version).where(F.col("experiment_id") == experiment.id)
    found = {}
    for name in DIMENSIONS:
        divided = arms_of(users, {experiment.id: metrics}, name)
        parts = {str(segment): own for (_, segment), own in divided.items()}
        found[name] = segment_effects(experiment, metrics, parts)
    return found


def lifts(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Forest plot of the lift of every metric and variant, in percent.

    Args:
        rows: rows of gold.experiment_results; those without a lift are left out.
    """
    defined = [row for row in rows if row["lift"]][::-1]
    names = [f"{row['metric']}<br>{row['variant']}" for row in defined]
    colours = [BLUE if row["role"] == "goal" else SILVER for row in defined]
    return _forest(names, [row["lift"] for row in defined], colours)


def segment_lifts(found: Sequence[SegmentEffect]) -> go.Figure:
    """Forest plot of the lift of every segment and goal, in percent."""
    defined = [one for one in found if isinstance(one.lift, Estimate)][::-1]
    names = [f"{one.segment}, {sum(one.users):,} users<br>{one.metric}, {one.variant}"
             for one in defined]  # fmt: skip
    ends = [{"value": e.value, "lower": e.lower, "upper": e.upper}
            for e in (one.lift for one in defined) if isinstance(e, Estimate)]  # fmt: skip
    return _forest(names, ends, [BLUE] * len(defined))


def _forest(
    names: Sequence[str], intervals: Sequence[Mapping[str, Any]], colours: Sequence[str]
) -> go.Figure:
    """A forest plot: one line for each interval, with a mark at its value.

    Args:
        names: labels of the lines.
        intervals: shares `lower`, `value` and `upper`; an open end is None.
        colours: colours of the lines.
    """
    figure = go.Figure()
    for name, lift, colour in zip(names, intervals, colours, strict=True):
        figure.add_scatter(
            x=[100 * lift[end] for end in ("lower", "value", "upper") if lift[end] is not None],
            y=[name] * sum(lift[end] is not None for end in ("lower", "value", "upper")),
            mode="lines+markers",
            marker={"size": [1, 11, 1], "color": colour},
            line={"color": colour, "width": 3},
            showlegend=False,
        )
    figure.add_vline(x=0, line_color=INK, line_width=1)
    rows = max(len(names), 1)
    return figure.update_layout(
        xaxis_title="lift over the control, %",
        yaxis_range=[-0.6, rows - 0.4],
        height=110 + 55 * rows,
    )


def over_time(goal: str, looks: Sequence[Look]) -> go.Figure:
    """The cumulative lift of a goal and its interval, in percent, by instant."""
    figure = go.Figure()
    variants = dict.fromkeys(one.variant for look in looks for one in look.result.results)
    for variant, colour in zip(variants, COLOURS * len(variants), strict=False):
        defined = [(look.at, lift) for look in looks if (lift := _lift(look, variant, goal))]
        times = [at for at, _ in defined]
        for end, line in (("upper", "dot"), ("value", "solid"), ("lower", "dot")):
            figure.add_scatter(
                x=times,
                y=[100 * getattr(lift, end) for _, lift in defined],
                mode="lines+markers" if end == "value" else "lines",
                name=variant if end == "value" else f"{variant}, {end} end",
                line={"color": colour, "dash": line},
                fill="tonexty" if end == "lower" else None,
                fillcolor="rgba(47,109,181,0.10)",
            )
    figure.add_hline(y=0, line_color=INK, line_width=1)
    return figure.update_layout(xaxis_title="events until", yaxis_title="lift, %")


def _lift(look: Look, variant: str, goal: str) -> Estimate | None:
    """The lift of a goal in a variant at an instant.

    Returns:
        The estimate; None where it is undefined.
    """
    for one in look.result.results:
        if (one.variant, one.metric) == (variant, goal) and isinstance(one.evidence, Evidence):
            return one.evidence.lift
    return None


def arms(experiment: Experiment, looks: Sequence[Look]) -> go.Figure:
    """The share of users in each variant, in percent, by instant, beside the planned share."""
    figure = go.Figure()
    for (variant, weight), colour in zip(experiment.weights.items(), COLOURS * 9, strict=False):
        filled = [look for look in looks if sum(look.users.values())]
        shares = [100 * look.users.get(variant, 0) / sum(look.users.values()) for look in filled]
        times = [look.at for look in filled]
        figure.add_scatter(x=times, y=shares, mode="lines+markers", name=variant, line_color=colour)
        planned = {"line_color": colour, "line_dash": "dot", "line_width": 1}
        figure.add_hline(y=100 * float(weight), **planned)
    return figure.update_layout(xaxis_title="events until", yaxis_title="share of users, %")
