"""The search for a user's id finds it wherever a file can hide it, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.runtime.erasure.certificate import refuse_finds
from jobs.runtime.erasure.file_search import EDGE, Find, search_files
from jobs.runtime.errors import DataError
from jobs.runtime.online.lists import Publication, StoredList
from jobs.runtime.online.sqlite_lists import SqliteLists
from jobs.runtime.online.sqlite_values import SqliteValues
from jobs.runtime.online.values import Write
from transforms.ids import is_id
from transforms.silver.erasure import pattern

USER = "user_7"
BYSTANDERS = ["user_70", "a_user_7", "user_7.b", "user:user_7", "User_7", "user_"]


def parquet(column: pa.Array) -> Callable[[Path], None]:
    return lambda folder: pq.write_table(pa.table({"c": column}), folder / "f.parquet")


def text(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "00000.json").write_bytes(content) and None


MAP = pa.map_(pa.string(), pa.string())
HIDES: dict[str, tuple[Callable[[Path], None], str]] = {
    "string": (parquet(pa.array(["x", None, USER])), "c"),
    "one among many": (parquet(pa.array([*map(str, range(9000)), USER])), "c"),
    "bytes in JSON": (parquet(pa.array([json.dumps({"userId": USER}).encode()])), "c"),
    "list": (parquet(pa.array([["a"], [USER, "b"]])), "c"),
    "list of structs": (parquet(pa.array([[{"k": "a", "v": [USER.encode()]}]])), "c"),
    "key of a map": (parquet(pa.array([[(USER, "v")]], MAP)), "c"),
    "value of a map": (parquet(pa.array([[("k", USER)]], MAP)), "c"),
    "dictionary": (parquet(pa.array(["a", USER]).dictionary_encode()), "c"),
    "log": (text(b'{"minValues":{"user_id":"user_7"}}'), "bytes"),
    "log, across the edge of a read": (text(b"." * 3 + b" " * (2**24 - 6) + b'"user_7"'), "bytes"),
}


@pytest.mark.parametrize("name", HIDES)
def test_the_id_is_found_where_it_hides(tmp_path: Path, name: str) -> None:
    hide, where = HIDES[name]
    hide(tmp_path)
    [find] = search_files(tmp_path, USER).finds
    assert find.where == where
    assert search_files(tmp_path, "user_8").finds == ()


def test_longer_ids_are_other_ids(tmp_path: Path) -> None:
    parquet(pa.array(BYSTANDERS))(tmp_path)
    text(" ".join(BYSTANDERS).encode())(tmp_path)
    searched = search_files(tmp_path, USER)
    assert (searched.files, searched.finds) == (2, ())


@pytest.mark.parametrize(("held", "is_held"), [('{"id":"7"}', True), ("7", True), ("[7]", False)])
def test_an_id_of_digits_is_no_number(held: str, is_held: bool) -> None:
    assert bool(re.search(pattern("7"), held)) is is_held


def test_the_longest_id_fits_the_edge_between_two_reads() -> None:
    assert is_id("x" * 128)
    assert not is_id("x" * 129)
    assert EDGE > 128 + 2


def test_what_is_left_out_is_not_searched(tmp_path: Path) -> None:
    text(USER.encode())(tmp_path)
    assert search_files(tmp_path, USER, without=[tmp_path / "00000.json"]).files == 0


def test_the_online_store_forgets_a_user_in_its_file_too(tmp_path: Path) -> None:
    store = SqliteLists(tmp_path / "online" / "lists.db")
    lists = [StoredList(user, "homepage", f'["{user}"]' * 999) for user in (USER, "user_8")]
    store.apply(lists, Publication(1, "1"), anew=True)
    store.remember(USER, "k", USER, 60)
    assert search_files(tmp_path, USER).finds
    store.forget(USER)
    assert search_files(tmp_path, USER).finds == ()
    assert (store.get(USER, "homepage"), store.recall(USER, "k")) == (None, None)
    assert store.get("user_8", "homepage")


def test_versioned_values_are_forgotten_in_their_file_too(tmp_path: Path) -> None:
    store = SqliteValues(tmp_path / "online" / "values.db", horizon_s=60)
    document = f'{{"id": "{USER}"}}'
    for at in range(3):
        store.apply([Write(user, "features", at, USER, document) for user in (USER, "user_8")])
    store.apply([Write("user_8", "features", 4, "e", "{}")])
    assert search_files(tmp_path, USER).finds
    store.forget(USER)
    assert search_files(tmp_path, USER).finds == ()
    assert store.get(USER, "features") is None
    assert store.get("user_8", "features")


def test_a_certificate_with_a_find_is_refused_with_the_place(tmp_path: Path) -> None:
    certificate: dict[str, Any] = {
        "erased": [{"rows": 2, "generation": 1, "detail": "silver/ratings", "table": None}],
        "searched": {"files": 3, "bytes": 4},
        "kafka_keeps_until": "then",
        "finds": [],
    }
    refuse_finds(certificate, tmp_path / "1.json")
    certificate["finds"] = [Find("backup/f.parquet", "user_id").__dict__]
    with pytest.raises(DataError, match=r"1 files still hold the id: backup/f.parquet \(user_id\)"):
        refuse_finds(certificate, tmp_path / "1.json")
