"""A history that several tests put into lakes, and a broker that has playhead's topics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from jobs.runtime.kafka.embedded_broker import embedded_broker
from jobs.runtime.kafka.topic_changes import apply_topics
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.settings import KafkaSettings, Settings
from tests.oracles.pipeline import Bounds, Raw, outcome
from tests.support.strategies import arrived, histories


@pytest.fixture(scope="module")
def kafka_with_topics(
    base_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaSettings]:
    """A broker of the module's own, with playhead's topics."""
    with embedded_broker(tmp_path_factory.mktemp("broker"), keep=False) as running:
        address = {"bootstrap_servers": running.bootstrap_servers}
        kafka = base_settings.kafka.model_copy(update=address)
        apply_topics(kafka, load_topics("local"))
        yield kafka


@pytest.fixture(scope="session")
def history() -> list[list[Raw]]:
    """One history in three batches, with repeats inside and across them, each telling gold more."""
    drawn: list[list[list[Raw]]] = []

    @settings(max_examples=50, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        sent = data.draw(st.lists(histories(), min_size=4, max_size=4))
        raws = arrived([delivery for part in (*sent, sent[0]) for delivery in part])
        third = len(raws) // 3
        batches = [raws[:third], raws[third : 2 * third], raws[2 * third :]]
        if all_tell_gold_more(batches):
            drawn.append(batches)

    draw()
    return drawn[0]


def all_tell_gold_more(batches: Sequence[list[Raw]]) -> bool:
    """Whether each batch changes gold after the ones before it."""
    through = accumulate(batches, initial=list[Raw]())
    told = [outcome(raws, Bounds()).gold for raws in through]
    return all(before != after for before, after in pairwise(told))
