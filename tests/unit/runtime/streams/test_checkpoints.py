"""Checkpoints: one user at a time, numbers that only grow, damage told in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.errors import DataError
from jobs.runtime.streams.checkpoints import Checkpoint, open_checkpoint, read_whole


def opened(path: Path | str, definition: str = "1", last_sequence: int | None = None) -> Checkpoint:
    with open_checkpoint(
        str(path), "refine", definition=definition, last_sequence=last_sequence
    ) as checkpoint:
        return checkpoint


def test_a_second_user_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "refine")
    with (
        open_checkpoint(path, "refine", definition="1", last_sequence=None),
        pytest.raises(DataError, match="another process is using the checkpoint"),
        open_checkpoint(path, "refine", definition="1", last_sequence=None),
    ):
        pass


def test_a_checkpoint_reopened_keeps_its_generation(tmp_path: Path) -> None:
    first = opened(tmp_path / "refine")
    again = opened(tmp_path / "refine", last_sequence=first.sequence(9))
    assert (again.generation, again.began) == (first.generation, first.began)


def test_a_deleted_checkpoint_numbers_its_batches_above_all_earlier_ones(tmp_path: Path) -> None:
    first = opened(tmp_path / "refine")
    anew = opened(tmp_path / "elsewhere", last_sequence=first.sequence(1_000_000))
    assert first.sequence(1_000_000) < anew.before_first < anew.sequence(0)


def test_a_checkpoint_of_another_definition_begins_anew(tmp_path: Path) -> None:
    first = opened(tmp_path / "fold", definition="old")
    anew = opened(tmp_path / "fold", definition="new", last_sequence=first.sequence(3))
    assert anew.is_new
    assert anew.generation == first.generation + 1


def test_what_a_checkpoint_remembers_is_computed_once(tmp_path: Path) -> None:
    checkpoint = opened(tmp_path / "fold")
    assert checkpoint.remembered("starts", lambda: {"a": 1}) == {"a": 1}
    assert checkpoint.remembered("starts", lambda: {"a": 2}) == {"a": 1}


def test_an_empty_offset_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    opened(tmp_path / "refine")
    offsets = tmp_path / "refine" / "offsets"
    offsets.mkdir()
    (offsets / "0").write_text("v1")
    (offsets / "1").touch()
    with pytest.raises(DataError, match=r"offsets/1 is empty or damaged .* delete the folder"):
        opened(tmp_path / "refine")


def test_a_checkpoint_at_a_uri_does_what_one_on_a_disk_does(
    spark: SparkSession, tmp_path: Path
) -> None:
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    hadoop.set("fs.viewfs.mounttable.store.link./lake", tmp_path.as_uri())
    uri = "viewfs://store/lake/refine"
    first = opened(uri)
    assert (first.generation, first.is_new) == (1, True)
    assert first.remembered("starts", lambda: {"a": 1}) == {"a": 1}
    offsets = tmp_path / "refine" / "offsets"
    offsets.mkdir()
    (offsets / "0").write_text('v1\n{}\n{"reservoirId": "t", "reservoirVersion": 8, "index": -1}\n')
    again = opened(uri)
    assert (again.began, again.is_new) == (first.began, False)
    assert again.remembered("starts", lambda: {"a": 2}) == {"a": 1}
    assert read_whole(uri, first.sequence(0), exactly=True) == {"t": 7}
    assert read_whole(uri, first.sequence(1), exactly=True) is None
    assert opened(uri, definition="2", last_sequence=first.sequence(0)).generation == 2
    assert not offsets.exists(), "the discarded checkpoint is still there"
    (tmp_path / "refine" / "metadata").write_text("")
    with pytest.raises(DataError, match="refine/metadata is empty or damaged"):
        opened(uri, definition="2")
