"""The model card, as a person reads it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from jobs.runtime.recommendations.artifact import TrainedModel
from jobs.runtime.recommendations.model_card import MEANINGS, card, in_words, plots
from jobs.runtime.recommendations.training import declaration
from jobs.runtime.settings import load_settings
from tests.support.models import MODEL
from transforms.recommendations.bootstrap import Difference
from transforms.recommendations.declaration import DECLARED
from transforms.recommendations.evaluation import ACCURACY, TITLE_BANDS
from transforms.recommendations.gate import judge
from transforms.recommendations.trial import Trial, metrics_of

FACTS = {"sha256": "ab12", "code": "0.2+abc", "generation": 1, "data": '{"gold.user_title": 3}'}


def trial_of(values: dict[str, float]) -> Trial:
    rows = [
        {
            "user_id": f"u{user}", "contender": name, "segment": "heavy" if user % 2 else "new",
            **dict.fromkeys((*ACCURACY, "novelty", "diversity"), value + user / 1000),
            **{f"hits_{band}": user % 3 for band in TITLE_BANDS},
            **dict.fromkeys((f"relevant_{band}" for band in TITLE_BANDS), 3),
        }
        for user in range(40)
        for name, value in values.items()
    ]  # fmt: skip
    return Trial(pd.DataFrame(rows), dict.fromkeys(values, 0.5), 893_286_638)


def text_of(values: dict[str, float]) -> str:
    declared = {
        **declaration(load_settings(environment={}).recommend),
        "as_of_s": 893_286_638,
        "weighting": {"completion": 1},
    }
    trained = TrainedModel(MODEL, np.zeros(40, np.int64), declared)
    trial = trial_of(values)
    return card("title-affinity", trained, trial, judge(trial.by_user), metrics_of(trial), FACTS)


TEXT = text_of({"challenger": 0.3, "popularity": 0.2})


def test_instants_are_dates_and_never_numbers_of_seconds() -> None:
    assert "22 April 1998, 23:10 UTC" in TEXT
    assert "893286638" not in TEXT.replace(",", "")


def test_the_comparison_with_popularity_is_a_sentence_with_its_numbers() -> None:
    assert (
        "Its lists foretold more than those of popularity, by more than chance would explain: "
        "nDCG@10 0.3195 against 0.2195 (46% more; difference +0.1000, 95 % interval +0.1000 to "
        "+0.1000, 40 users)."
    ) in TEXT


def test_every_setting_of_a_model_is_explained() -> None:
    assert set(MEANINGS) == set(DECLARED)
    for name in DECLARED:
        assert re.search(rf"\| {name} \| [^|]+ \| [^|]+ \|", TEXT)


def test_every_table_has_as_many_cells_as_its_heading() -> None:
    for table in re.findall(r"(?:^\|.*\|\n?)+", TEXT, re.MULTILINE):
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1, table


def test_a_refusal_stands_in_the_first_paragraph_and_with_its_reason() -> None:
    text = text_of({"challenger": 0.1, "popularity": 0.2})
    assert "The gate refuses it." in text.split("## ")[0]
    assert "\nRefused: not better than popularity: " in text


def test_the_champion_has_a_column_of_its_own() -> None:
    text = text_of({"challenger": 0.3, "champion": 0.3, "popularity": 0.2})
    assert "| at 10 | what it is | this model | the champion | popularity |" in text
    assert "Its lists foretold exactly as much as those of the champion: nDCG@10" in text


def test_a_metric_without_users_is_an_empty_cell() -> None:
    assert "| regular users |  |  |" in TEXT


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.01, 0.03), "foretold more"),
        ((-0.03, -0.01), "foretold less"),
        ((-0.01, 0.03), "cannot be told apart"),
    ],
)
def test_a_difference_is_only_claimed_if_chance_does_not_explain_it(
    interval: tuple[float, float], words: str
) -> None:
    difference = Difference(sum(interval) / 2, *interval, users=7)
    assert words in in_words("popularity", 0.3, 0.2, difference)


def test_three_pictures_stand_on_a_page_that_needs_no_network() -> None:
    page = plots(trial_of({"challenger": 0.3, "popularity": 0.2}))
    assert page.count("<h2>") == 3
    assert "Against popularity 100% of users gain, 0% lose" in page
    assert 'src="http' not in page
