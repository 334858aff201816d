"""What a training leaves for people to read: a model card, and plots of the trial."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from jobs.runtime.recommendations.artifact import TrainedModel
from transforms.instants import rfc3339
from transforms.recommendations.evaluation import HEAD_SHARE, TITLE_BANDS, USER_SEGMENTS, K
from transforms.recommendations.gate import METRIC, Verdict, describe_difference
from transforms.recommendations.trial import Trial

BLUE, GOLD, GREY = "#2f6db5", "#d9a520", "#8a97a6"
COLOURS = {"challenger": BLUE, "champion": GOLD, "popularity": GREY}
LIMITS = """\
- The figures say how well lists foretell what people chose without them. They do not say what
  people would have chosen had they seen the lists: titles that nobody was shown cannot be hits,
  popular ones are favoured, and only an experiment can tell.
- The weights of plays, completions and watch time are declared, not tuned: the public data they
  were tried on has ratings alone.
- A user without a history gets popularity; a title without one is listed for its views alone.
- Who watches through one account is one user to the model.
"""


def card(
    name: str,
    trained: TrainedModel,
    trial: Trial,
    verdict: Verdict,
    metrics: Mapping[str, float],
    facts: Mapping[str, Any],
) -> str:
    """Write the model card, in Markdown.

    Args:
        name: registered name of the model.
        trained: model that the card is about.
        trial: trial of its settings.
        verdict: verdict of the gate on the trial.
        metrics: values by name, as registered.
        facts: tags of the version.

    Reference: M. Mitchell et al., "Model cards for model reporting", FAT* 2019.
    """
    cut, as_of = _instant(trial.cut_s), _instant(trained.declaration["as_of_s"])
    rows = [f"| {n} | {v:.4f} |" for n, v in sorted(metrics.items())]
    against = [
        f"- against {rival}: {describe_difference(d)}" for rival, d in verdict.differences.items()
    ]
    bands = f"head: the most viewed {HEAD_SHARE:.0%} of titles; new: not viewed before the cut"
    return "\n".join(
        [
            f"# {name}",
            "",
            f"Trained for {as_of} on {len(trained.model.titles):,} titles. "
            f"Files: sha256 {facts['sha256']}. Code: {facts['code']}.",
            f"Tables (Delta versions): {facts['data']}, generation {facts['generation']}.",
            "",
            "## What it is for",
            "Lists of titles for users of the service; the score of a title is the sum of what",
            "each title of the history says for it and of its popularity.",
            "",
            "## Declared",
            *(f"- {key}: {json.dumps(value)}" for key, value in trained.declaration.items()),
            "",
            "## Judged",
            f"Trained on what had happened by {cut}, judged by what users met after it, at {K}.",
            f"Segments of users, by titles met before the cut: {json.dumps(USER_SEGMENTS)}.",
            f"Bands of titles: {bands}.",
            *against,
            *(f"- refused: {refusal}" for refusal in verdict.refusals),
            "",
            "| metric | value |",
            "|---|---|",
            *rows,
            "",
            "## What it does not show",
            LIMITS,
        ]
    )


def plots(trained: TrainedModel, trial: Trial) -> str:
    """Draw the trial and the prior, on one self-contained page of HTML."""
    figure = make_subplots(
        rows=2,
        cols=2,
        subplot_titles=(
            f"{METRIC}@{K} by segment of users",
            "recall by band of titles",
            f"gain of each user over popularity, {METRIC}@{K}",
            "popularity prior of the titles, sorted",
        ),
    )
    for contender, rows in trial.by_user.groupby("contender"):
        colour = {"name": str(contender), "marker_color": COLOURS[str(contender)]}
        means = rows.groupby("segment")[METRIC].mean()
        figure.add_bar(x=list(means.index), y=list(means), row=1, col=1, **colour)
        shares = [_share(rows, band) for band in TITLE_BANDS]
        figure.add_bar(x=list(TITLE_BANDS), y=shares, row=1, col=2, showlegend=False, **colour)
    gains = _gains(trial)
    figure.add_scatter(
        x=np.linspace(0, 100, len(gains)), y=gains, row=2, col=1, showlegend=False, line_color=BLUE
    )
    prior = np.sort(trained.prior)[::-1].astype(float)
    figure.add_scatter(y=prior, row=2, col=2, showlegend=False, line_color=GREY)
    figure.update_xaxes(title_text="users, %", row=2, col=1)
    figure.update_xaxes(title_text="titles", row=2, col=2)
    figure.update_layout(template="plotly_white", height=800, barmode="group")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Trial of a model</title>'
        f"<script>{get_plotlyjs()}</script>"
        f"{figure.to_html(full_html=False, include_plotlyjs=False)}</html>"
    )


def _share(rows: Any, band: str) -> float:
    relevant = rows[f"relevant_{band}"].sum()
    return float(rows[f"hits_{band}"].sum() / relevant) if relevant else 0.0


def _gains(trial: Trial) -> Any:
    values = trial.by_user.pivot(index="user_id", columns="contender", values=METRIC)
    if values.empty:
        return np.zeros(0)
    return np.sort((values["challenger"] - values["popularity"]).to_numpy())


def _instant(seconds: int) -> str:
    return rfc3339(datetime.fromtimestamp(seconds, UTC), "seconds")
