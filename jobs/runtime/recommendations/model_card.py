"""What a training leaves for people to read: a model card in sentences, with three pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from jobs.runtime.pages import BLUE, GOLD, SILVER, apply_style, html_of, page
from jobs.runtime.recommendations.artifact import TrainedModel
from transforms.recommendations.bootstrap import Difference
from transforms.recommendations.evaluation import HEAD_SHARE, TITLE_BANDS, USER_SEGMENTS, K
from transforms.recommendations.gate import METRIC, Verdict
from transforms.recommendations.trial import Trial

COLOURS = {"challenger": BLUE, "champion": GOLD, "popularity": SILVER}
NAMES = {"challenger": "this model", "champion": "the champion", "popularity": "popularity"}
PURPOSE = """\
It makes the lists of titles that users of the service are shown. The score of a title is a sum:
what each title of the user's history says for it, the last five once more for what comes next, and
its popularity of late. So every place on a list can be explained exactly. It is not made to judge
people, or to price or license titles."""
MEANINGS = {  # of each setting: what it is, with the unit of its number
    "algorithm": "how weights are learned from who met what",
    "l2": "ridge: how much evidence a weight needs, in units of the mean over `l2_per`",
    "l2_per": "what the unit of `l2` is a mean over: meetings of users with titles, or titles",
    "dropout": "share: how much of a popular title's weight is held back",
    "popularity_exponent": "below 0: titles that everybody meets are held back",
    "damping": "0: every pair of titles counts alike; 0.5: every user does",
    "half_star": "what each half star above 3.5 adds to a title met, in sixteenths",
    "factors": "length of a title's vector, for als",
    "confidence": "how many times more a title met says than one not met, for als",
    "factor_l2": "ridge of the vectors, for als",
    "prior_weight": "weight of the logarithm of recent views in a score",
    "views_half_life_days": "days after which a view counts half",
    "history_half_life_days": "days after which a title met counts half; null: it never fades",
    "next_weight": "weight of what is met next to the last five titles",
    "next_half_life_days": "days after which one of those five counts half",
}
METRICS = {
    "ndcg": "hits, those higher on the list counting more, of the best that was possible",
    "map": "precision at each hit, averaged",
    "precision": "share of the list that was met",
    "recall": "share of what was met that the list holds",
    "hit": "share of users with a hit in their list",
    "novelty": "how little known the listed titles are, in bits",
    "diversity": "how unlike in genre the titles of a list are, 0 to 1",
    "coverage": "share of the catalogue that is in anybody's list",
}
BANDS = f"head: the most viewed {HEAD_SHARE:.0%} of titles; tail: the others; new: not met before"
LIMITS = """\
- The figures say how well lists foretell what people chose without them. They do not say what
  people would have chosen had they seen the lists: titles that nobody was shown cannot be hits,
  popular ones are favoured, and only an experiment can tell.
- The weights of plays, completions and watch time are declared, not tuned: the public data they
  were tried on has ratings alone.
- A user without a history gets popularity; a title without one is listed for its views alone.
- Who watches through one account is one user to the model."""


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
    declared = trained.declaration
    sections = {
        f"# {name}": _summary(trained, trial, verdict, metrics),
        "## What it is for": PURPOSE,
        "## How good it is": "\n".join(_quality(trial, verdict, metrics)),
        "## For whom, and for which titles": "\n".join(_parts(trial)),
        "## What it does not show": LIMITS,
        "## How it is set": "\n".join(_settings(declared)),
        "## Where it comes from": "\n".join(_origin(facts)),
    }
    return "\n\n".join(f"{heading}\n\n{text}" for heading, text in sections.items()) + "\n"


def plots(trial: Trial) -> str:
    """Draw the three pictures of a trial that matter, on one self-contained page of HTML."""
    cells = [{"prose": f"<h2>{escape(title)}</h2>{html_of(figure)}"}
             for title, figure in _pictures(trial)]  # fmt: skip
    return page("notebook.html", title="Trial of a model", cells=cells, style="")


def in_words(rival: str, ours: float, theirs: float, difference: Difference) -> str:
    """What a difference in nDCG says, in a sentence.

    Args:
        rival: what the model was compared with, in words.
        ours: mean over users of the model.
        theirs: mean over users of the rival.
        difference: of the two, with its interval.
    """
    if difference.lower > 0:
        told = f"foretold more than those of {rival}, by more than chance would explain"
    elif difference.upper < 0:
        told = f"foretold less than those of {rival}, by more than chance would explain"
    elif difference.mean == difference.lower == difference.upper == 0:
        told = f"foretold exactly as much as those of {rival}"
    else:
        told = f"and those of {rival} cannot be told apart: the interval holds 0"
    gain = f"{abs(difference.mean) / theirs:.0%} {'more' if difference.mean >= 0 else 'less'}; " \
        if theirs and difference.mean else ""  # fmt: skip
    return (
        f"Its lists {told}: nDCG@{K} {ours:.4f} against {theirs:.4f} ({gain}difference "
        f"{difference.mean:+.4f}, 95 % interval {difference.lower:+.4f} to "
        f"{difference.upper:+.4f}, {difference.users:,} users)."
    )


def _summary(
    trained: TrainedModel, trial: Trial, verdict: Verdict, metrics: Mapping[str, float]
) -> str:
    may = "The gate lets it pass." if verdict.passed else "The gate refuses it."
    return (
        f"A recommender over {len(trained.model.titles):,} titles, trained on all that was known "
        f"on {_date(trained.declaration['as_of_s'])}. Its settings were judged on what "
        f"{trial.by_user['user_id'].nunique():,} users met after {_date(trial.cut_s)}, having been "
        f"trained on what had happened until then: of the best possible lists of {K}, theirs "
        f"reached {metrics.get('ndcg', 0.0):.1%}. {may}"
    )


def _quality(trial: Trial, verdict: Verdict, metrics: Mapping[str, float]) -> Iterator[str]:
    for rival, difference in verdict.differences.items():
        theirs = metrics.get(f"{rival}.{METRIC}", 0.0)
        yield in_words(NAMES[rival], metrics.get(METRIC, 0.0), theirs, difference) + "\n"
    for refusal in verdict.refusals:
        yield f"Refused: {refusal}.\n"
    rivals = _of(trial)
    yield _row(f"at {K}", ["what it is", *(NAMES[name] for name in rivals)])
    yield f"|---|---|{'---|' * len(rivals)}"
    for metric, meaning in METRICS.items():
        cells = [_cell(metrics.get(_key(name, metric))) for name in rivals]
        yield _row(metric, [meaning, *cells])


def _key(contender: str, metric: str) -> str:
    """The name of a metric as `metrics_of` registers it."""
    return metric if contender == "challenger" else f"{contender}.{metric}"


def _parts(trial: Trial) -> Iterator[str]:
    rows = trial.by_user[trial.by_user["contender"] == "challenger"]
    users = rows["segment"].value_counts()
    told = [f"{users.get(name, 0):,} {name} ({_span(name)})" for name in USER_SEGMENTS]
    yield f"Users by what they had met before the cut: {', '.join(told)}. Titles: {BANDS}.\n"
    yield "Three pictures of this are in plots.html, beside this card.\n"
    yield _row(f"nDCG@{K} of users, recall of titles", [NAMES[each] for each in _of(trial)])
    yield f"|---|{'---|' * len(_of(trial))}"
    for name in USER_SEGMENTS:
        yield _row(f"{name} users", [_cell(of.get(name)) for of in _by_segment(trial).values()])
    for name in TITLE_BANDS:
        yield _row(f"{name} titles", [_cell(of.get(name)) for of in _by_band(trial).values()])


def _row(name: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _of(trial: Trial) -> dict[str, pd.DataFrame]:
    """The rows of each contender, this model first."""
    groups = dict(tuple(trial.by_user.groupby("contender")))
    return {name: groups[name] for name in COLOURS if name in groups}


def _by_segment(trial: Trial) -> dict[str, dict[str, float]]:
    """The mean of nDCG by segment of users, those that have users, by contender."""
    means = {name: rows.groupby("segment")[METRIC].mean() for name, rows in _of(trial).items()}
    return {
        name: {str(segment): float(value) for segment, value in of.items()}
        for name, of in means.items()
    }


def _by_band(trial: Trial) -> dict[str, dict[str, float]]:
    """The recall by band of titles, those that were met, by contender."""
    return {
        name: {
            band: float(rows[f"hits_{band}"].sum() / rows[f"relevant_{band}"].sum())
            for band in TITLE_BANDS
            if rows[f"relevant_{band}"].sum()
        }
        for name, rows in _of(trial).items()
    }


def _span(segment: str) -> str:
    """How many titles users of a segment had met, in words."""
    bounds = [*USER_SEGMENTS.values()]
    least = USER_SEGMENTS[segment]
    above = bounds[bounds.index(least) + 1 :]
    if not above:
        return f"{least:,} titles or more"
    return f"{least:,} to {above[0] - 1:,} titles" if above[0] - 1 > least else "none"


def _settings(declared: Mapping[str, Any]) -> Iterator[str]:
    yield "| setting | value | what it is |"
    yield "|---|---|---|"
    for name, value in declared.items():
        if name in MEANINGS:
            yield f"| {name} | {json.dumps(value)} | {MEANINGS[name]} |"
    weights = ", ".join(f"{name} {value}" for name, value in declared["weighting"].items())
    yield f"\nWhat signals are worth, in sixteenths of a title met: {weights}."


def _origin(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"Code {facts['code']}; generation {facts['generation']} of the lake. Delta versions:\n"
    yield from (f"- {table}: {number}" for table, number in json.loads(facts["data"]).items())
    yield f"\nThe same tables, settings and code give the same files: sha256 {facts['sha256']}."


def _pictures(trial: Trial) -> Iterator[tuple[str, go.Figure]]:
    yield (
        f"nDCG@{K}, by what users had met before",
        _bars(USER_SEGMENTS, _by_segment(trial), f"nDCG@{K}"),
    )
    yield (
        "Of what users met, the share on their lists, by popularity of titles",
        _bars(TITLE_BANDS, _by_band(trial), "recall"),
    )
    gains = _gains(trial)
    won, lost = (np.count_nonzero(each) / max(len(gains), 1) for each in (gains > 0, gains < 0))
    line = go.Scatter(x=np.linspace(0, 100, len(gains)), y=gains, line_color=BLUE)
    yield (
        f"Against popularity {won:.0%} of users gain, {lost:.0%} lose",
        apply_style(go.Figure(line), x="users, %, by gain", y=f"nDCG@{K} gained"),
    )


def _bars(groups: Iterable[str], values: Mapping[str, Mapping[str, float]], y: str) -> go.Figure:
    figure = go.Figure()
    for name, heights in values.items():
        shown = [group for group in groups if group in heights]
        figure.add_bar(x=shown, y=[heights[group] for group in shown], name=NAMES[name],
                       marker_color=COLOURS[name])  # fmt: skip
    return apply_style(figure.update_layout(barmode="group"), y=y)


def _gains(trial: Trial) -> Any:
    values = trial.by_user.pivot(index="user_id", columns="contender", values=METRIC)
    if values.empty:
        return np.zeros(0)
    return np.sort((values["challenger"] - values["popularity"]).to_numpy())


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %B %Y, %H:%M} UTC"
