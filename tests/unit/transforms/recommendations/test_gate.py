from __future__ import annotations

import pandas as pd
import pytest

from transforms.recommendations.gate import judge


def users(**values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"user_id": f"u{n}", "contender": contender, "ndcg": value}
            for contender, column in values.items()
            for n, value in enumerate(column)
        ]
    )


def test_a_first_model_passes_when_it_is_better_than_popularity() -> None:
    verdict = judge(users(challenger=[0.5, 0.3, 0.4], popularity=[0.1, 0.3, 0.2]))
    assert verdict.passed
    assert verdict.differences["popularity"].mean == pytest.approx(0.2)
    assert verdict.differences["popularity"].users == 3


@pytest.mark.parametrize("popularity", [[0.5, 0.5], [0.6, 0.5]], ids=["equal", "better"])
def test_one_that_is_not_better_than_popularity_is_refused(popularity: list[float]) -> None:
    verdict = judge(users(challenger=[0.5, 0.5], popularity=popularity))
    assert [refusal.split(":")[0] for refusal in verdict.refusals] == ["not better than popularity"]


def test_one_that_is_worse_than_the_champion_is_refused() -> None:
    verdict = judge(users(challenger=[0.5, 0.4], popularity=[0.1, 0.1], champion=[0.5, 0.5]))
    assert [refusal.split(":")[0] for refusal in verdict.refusals] == ["worse than the champion"]


def test_the_same_settings_on_newer_data_pass() -> None:
    assert judge(users(challenger=[0.5, 0.4], popularity=[0.1, 0.1], champion=[0.5, 0.4])).passed


def test_users_are_paired_whatever_their_order() -> None:
    rows = users(challenger=[0.9, 0.1], popularity=[0.8, 0.0])
    shuffled = rows.iloc[[3, 0, 2, 1]]
    assert judge(shuffled).differences == judge(rows).differences
    assert judge(rows).differences["popularity"].lower == pytest.approx(0.1)


def test_without_users_to_judge_by_it_is_refused() -> None:
    verdict = judge(
        users(challenger=[], popularity=[]).reindex(columns=["user_id", "contender", "ndcg"])
    )
    assert "nothing to judge by" in verdict.refusals[0]
