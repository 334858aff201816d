"""The report of a run: one self-contained page on flow, throughput and freshness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from pyspark.sql import functions as F

from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import FRESHNESS, RECOMMENDATIONS
from jobs.runtime.pages import (
    BLUE,
    BRONZE,
    GOLD,
    INK,
    RED,
    SILVER,
    apply_style,
    html_of,
    write_page,
)
from jobs.runtime.pipeline.gold import read_gold
from jobs.runtime.pipeline.ledger import Conservation
from jobs.runtime.streams.queries import FOLD, INGEST, REFINE
from transforms.gold.business import recommended_by_date
from transforms.gold.tables import BUSINESS_DAY, TITLE_DAY, USER_FEATURES
from transforms.recommendations.contexts import HOMEPAGE

TOP = 15
LISTED = 10


def summarize(kept: Conservation, gold: Mapping[str, int]) -> dict[str, Any]:
    """The counts of each layer as a JSON document.

    Args:
        kept: what became of the records that arrived.
        gold: number of rows by gold table.
    """
    return {
        "bronze": kept.bronze,
        "silver": kept.silver,
        "quarantined": kept.quarantined,
        "duplicates": kept.duplicates,
        "conserved": kept.conserved,
        "gold": gold,
    }


def describe(summary: Mapping[str, Any]) -> str:
    """The counts of a run as lines of text.

    Args:
        summary: contents of summary.json.
    """
    parity = summary["parity"]
    return "\n".join(
        [
            "",
            f"produced     {sum(summary['produced'].values()):>9,} events",
            f"bronze       {summary['bronze']:>9,} rows",
            f"silver       {sum(summary['silver'].values()):>9,} rows",
            f"quarantined  {sum(summary['quarantined'].values()):>9,}",
            f"duplicates   {summary['duplicates']:>9,}",
            f"conserved    {summary['conserved']!s:>9}",
            f"gold         {sum(summary['gold'].values()):>9,} rows, "
            f"{parity['compared']:,} compared with the recompute, {parity['differing']:,} differ",
        ]
    )


def write_report(
    lake: Lake,
    summary: Mapping[str, Any],
    batches: Sequence[Mapping[str, Any]],
    mlflow: str,
    file: Path,
) -> None:
    """Write the report of a run as an HTML page.

    Args:
        lake: the tables that the run filled.
        summary: contents of summary.json.
        batches: streaming progress of each micro-batch, as Spark reports it.
        mlflow: URI of MLflow's backend store.
        file: path of the page.
    """
    figures = {
        "flow": _flow(summary),
        "hours": _viewing_by_hour(lake),
        "titles": _top_titles(lake),
        **_recommendation_figures(lake),
        "throughput": _throughput(batches),
        "freshness": _freshness(lake),
        "quarantine": _quarantine(summary["quarantined"]),
    }
    drawn = {name: html_of(apply_style(figure)) for name, figure in figures.items()}
    write_page(
        file,
        "report.html",
        summary=summary,
        figures=drawn,
        lists=_example_lists(lake),
        mlflow=f"mlflow ui --backend-store-uri {mlflow}",
    )


def _flow(summary: Mapping[str, Any]) -> go.Figure:
    """A Sankey diagram from event types through bronze to each end, widths in events."""
    ends = {f"silver.{name}": rows for name, rows in summary["silver"].items() if rows}
    ends["silver.quarantine"] = sum(summary["quarantined"].values())
    ends["duplicates"] = summary["duplicates"]
    sources = summary["produced"]
    labels = [*sources, "bronze.events", *ends]
    hub = len(sources)
    colours = {"silver.quarantine": RED, "duplicates": INK}
    figure = go.Figure(
        go.Sankey(
            node={
                "label": [*sources, f"bronze.events<br>{summary['bronze']:,}"]
                + [f"{name}<br>{rows:,}" for name, rows in ends.items()],
                "color": [BLUE] * hub
                + [BRONZE]
                + [colours.get(name, SILVER) for name in labels[hub + 1 :]],
                "pad": 32,
            },
            link={
                "source": [*range(hub), *[hub] * len(ends)],
                "target": [*[hub] * hub, *range(hub + 1, len(labels))],
                "value": [*sources.values(), *ends.values()],
            },
        )
    )
    return figure.update_layout(height=460)


def _viewing_by_hour(lake: Lake) -> go.Figure:
    """A bar chart of plays by hour of the day, UTC."""
    plays = lake.read("silver.playback").where("event_type = 'VideoPlaybackStarted'")
    by_hour = plays.groupBy(F.hour("event_time").alias("hour")).count().orderBy("hour").collect()
    figure = go.Figure(
        go.Bar(x=[r["hour"] for r in by_hour], y=[r["count"] for r in by_hour], marker_color=BLUE)
    )
    return figure.update_layout(xaxis_title="hour of the day, UTC", yaxis_title="plays")


def _top_titles(lake: Lake) -> go.Figure:
    """A bar chart of the TOP titles by plays."""
    plays = read_gold(lake, TITLE_DAY).groupBy("title_id").agg(F.sum("plays").alias("plays"))
    names = lake.read("silver.catalog").groupBy("title_id").agg(F.max_by("name", "event_time"))
    named = plays.join(names.toDF("title_id", "name"), "title_id", "left")
    top = named.orderBy(F.desc("plays"), "title_id").limit(TOP).collect()[::-1]
    figure = go.Figure(
        go.Bar(
            x=[row["plays"] for row in top],
            y=[row["name"] or row["title_id"] for row in top],
            orientation="h",
            marker_color=GOLD,
        )
    )
    return figure.update_layout(xaxis_title="plays", height=460)


def _recommendation_figures(lake: Lake) -> dict[str, go.Figure]:
    """Charts of recommendations by day: share of viewing, mean rank of clicks, coverage.

    Returns:
        A figure each for `viewing`, `click_rank` and `coverage`.
    """
    business_day, catalog = read_gold(lake, BUSINESS_DAY), lake.read("silver.catalog")
    days = recommended_by_date(business_day, catalog).toPandas()
    axes = {
        "viewing": {"title": "share of time watched", "tickformat": ".0%"},
        "click_rank": {"title": "mean rank clicked", "autorange": "reversed"},
        "coverage": {"title": "share of titles", "tickformat": ".0%"},
    }
    return {
        name: go.Figure(
            go.Scatter(x=days["date"], y=days[name], mode="markers", marker_color=BLUE)
        ).update_layout(yaxis=axis)
        for name, axis in axes.items()
    }


def _example_lists(lake: Lake) -> list[dict[str, Any]]:
    """The homepage list of the user with the most plays, up to rank LISTED.

    Returns:
        Rows of gold.recommendations as dicts, by rank; empty without recommendations or users.
    """
    if not lake.has(RECOMMENDATIONS):
        return []
    by_plays = read_gold(lake, USER_FEATURES).orderBy(F.desc("plays"), "user_id")
    busiest = by_plays.select("user_id").first()
    if busiest is None:
        return []
    own = (F.col("user_id") == busiest.user_id) & (F.col("context_type") == HOMEPAGE)
    listed = lake.read(RECOMMENDATIONS).where(own & (F.col("rank") <= LISTED)).orderBy("rank")
    return [row.asDict(recursive=True) for row in listed.collect()]


def _throughput(batches: Sequence[Mapping[str, Any]]) -> go.Figure:
    """A line chart of rows per second of ingest, refine and fold, by start of batch."""
    figure = go.Figure()
    for query, colour in ((INGEST, BRONZE), (REFINE, SILVER), (FOLD, GOLD)):
        own = [batch for batch in batches if batch["name"] == query and batch["numInputRows"]]
        figure.add_scatter(
            x=[batch["timestamp"] for batch in own],
            y=[batch["processedRowsPerSecond"] for batch in own],
            mode="lines+markers",
            name=query,
            line_color=colour,
        )
    return figure.update_layout(xaxis_title="start of batch", yaxis_title="rows a second")


def _freshness(lake: Lake) -> go.Figure:
    """A line chart of p50 and p99 of the age of events, in seconds, by commit of batch, UTC."""
    at = F.unix_micros("at").alias("at")
    rows = lake.read(FRESHNESS).select(at, "age_s", "events").orderBy("at", "age_s").toPandas()
    rows["at"] = pd.to_datetime(rows["at"], unit="us")
    figure = go.Figure()
    for share, colour in ((0.5, BLUE), (0.99, RED)):
        ages = rows.groupby("at")[["age_s", "events"]].apply(_quantile, share)
        figure.add_scatter(
            x=ages.index, y=ages.to_numpy(), mode="lines+markers", name=f"p{share * 100:.0f}",
            line_color=colour,
        )  # fmt: skip
    return figure.update_layout(
        xaxis_title="commit of batch, UTC", yaxis_title="age of events, seconds"
    )


def _quantile(ages: Any, share: float) -> float:
    """The least age that at least `share` of the events do not exceed.

    Args:
        ages: pandas rows of one commit, by age: age_s (seconds) and events (their number).
        share: share of the events, from 0 to 1.
    """
    reached = ages["events"].cumsum() >= share * ages["events"].sum()
    return float(ages.loc[reached, "age_s"].iloc[0])


def _quarantine(reasons: Mapping[str, int]) -> go.Figure:
    """A bar chart of quarantined records by reason."""
    ordered = sorted(reasons.items(), key=lambda item: item[1])
    figure = go.Figure(
        go.Bar(
            x=[rows for _, rows in ordered],
            y=[reason for reason, _ in ordered],
            orientation="h",
            marker_color=RED,
        )
    )
    return figure.update_layout(xaxis_title="records")
