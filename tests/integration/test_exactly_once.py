"""Stream, batch and oracle are equal, whatever the order, the batches, the repeats, the crashes."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame

from jobs.runtime.errors import DataError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import LEDGER
from jobs.runtime.pipeline import refine
from jobs.runtime.pipeline.gold import compact, read_gold
from jobs.runtime.settings import Settings, load_settings
from tests.oracles.pipeline import Raw
from tests.support.lakes import (
    BATCH_BY_BATCH,
    CrashingLake,
    MakeLake,
    deliver,
    killed_behind_every_write,
    stream,
)
from tests.support.promises import assert_promises
from tests.support.shapes import table_of
from tests.support.strategies import histories, shuffles, splits
from transforms.gold.tables import FOLDS
from transforms.silver.deduplication import deduplicate_stream


@pytest.fixture
def configured() -> Settings:
    return load_settings(overrides=BATCH_BY_BATCH, environment={})


@st.composite
def delivered(draw: st.DrawFn) -> list[list[Raw]]:
    return draw(splits(draw(shuffles(draw(histories())))))


@pytest.mark.slow
@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(batches=delivered())
def test_any_order_split_and_repetition_gives_the_oracles_gold(
    lakes: MakeLake, configured: Settings, batches: list[list[Raw]]
) -> None:
    lake = lakes(Lake)
    deliver(lake, batches)
    stream(lake, configured)
    assert_promises(lake, configured, [raw for batch in batches for raw in batch])


@pytest.mark.slow
def test_a_crash_behind_any_write_loses_and_doubles_nothing(
    lakes: MakeLake, configured: Settings, history: list[list[Raw]]
) -> None:
    lake = lakes(CrashingLake)
    assert isinstance(lake, CrashingLake)
    deliver(lake, history)

    def work() -> None:
        stream(lake, configured)
        compact(lake)

    deaths = killed_behind_every_write(lake, work)
    assert deaths > 3, "the crashes did not happen"
    assert_promises(lake, configured, [raw for batch in history for raw in batch])


@pytest.mark.slow
def test_a_record_lost_inside_a_batch_is_no_duplicate(
    lakes: MakeLake,
    configured: Settings,
    history: list[list[Raw]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def losing(judged: DataFrame, horizon_h: int) -> DataFrame:
        return deduplicate_stream(judged.where("offset <> 0"), horizon_h)

    monkeypatch.setattr(refine, "deduplicate_stream", losing)
    lake = lakes(Lake)
    deliver(lake, history[:1])
    with pytest.raises(DataError, match=r"refine: batch \d+ read .*: \d+ are lost"):
        stream(lake, configured)
    assert lake.read(LEDGER).isEmpty()


@pytest.mark.slow
@pytest.mark.parametrize("query", ["refine", "fold"])
def test_a_deleted_checkpoint_loses_and_doubles_nothing(
    lakes: MakeLake,
    configured: Settings,
    history: list[list[Raw]],
    query: str,
) -> None:
    lake = lakes(Lake)
    deliver(lake, history[:2])
    stream(lake, configured)
    shutil.rmtree(lake.checkpoint(query))
    deliver(lake, history)
    stream(lake, configured)
    assert_promises(lake, configured, [raw for batch in history for raw in batch])


def test_a_plain_delta_reader_sees_one_row_a_key(
    lakes: MakeLake, configured: Settings, history: list[list[Raw]]
) -> None:
    """After a compaction the base table alone is the gold table."""
    lake = lakes(Lake)
    deliver(lake, history)
    stream(lake, configured)
    compact(lake)
    for name, fold in FOLDS.items():
        assert table_of(fold, lake.read(f"gold.{name}")) == table_of(fold, read_gold(lake, fold))
