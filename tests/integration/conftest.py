"""A history that several tests put into lakes."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.oracles.pipeline import Raw
from tests.support.strategies import arrived, histories


@pytest.fixture(scope="session")
def history() -> list[list[Raw]]:
    """One history in three batches, with repeats inside and across them."""
    drawn: list[list[list[Raw]]] = []

    @settings(max_examples=2, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        sent = data.draw(st.lists(histories(), min_size=4, max_size=4))
        raws = arrived([delivery for part in (*sent, sent[0]) for delivery in part])
        third = len(raws) // 3
        drawn.append([raws[:third], raws[third : 2 * third], raws[2 * third :]])

    draw()
    return drawn[-1]  # the first is always the simplest: one event and its copies
