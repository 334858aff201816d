from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.runtime.errors import ServiceError, SettingsError
from jobs.runtime.online.lists import Publication, StoredList
from jobs.runtime.online.recommendation_query import (
    REGIONS,
    RecommendationQuery,
    cache_key,
    parse_context,
)
from jobs.runtime.online.sqlite import BUSY_S
from jobs.runtime.online.sqlite_lists import SqliteLists

HOME = json.dumps([{"title_id": "t1", "rank": 1}])
TV = json.dumps([{"title_id": "t2", "rank": 1}])
POPULAR = json.dumps([{"title_id": "t9", "rank": 1}])
REGIONAL = json.dumps([{"title_id": "t8", "rank": 1}])
LISTS = [
    StoredList("ada", "homepage", HOME),
    StoredList("ada", "homepage:tv", TV),
    StoredList("*", "homepage", POPULAR),
    StoredList("*/eu", "homepage", REGIONAL),
]


class Gold:
    """Gold, whose homepage for ada differs from the online store; counts how often it is asked."""

    asked = 0

    def get(self, user_id: str, context_type: str) -> str | None:
        self.asked += 1
        return TV if (user_id, context_type) == ("ada", "homepage") else None

    def publication(self) -> Publication | None:
        return Publication(2, "6")


@pytest.fixture
def store(tmp_path: Path) -> SqliteLists:
    store = SqliteLists(tmp_path / "lists.db")
    store.apply(LISTS, Publication(3, "7"), anew=True)
    return store


def shown(query: RecommendationQuery, *arguments: object) -> tuple[list[str], str, int]:
    answer = query.get(*arguments)  # type: ignore[arg-type]
    return [item["title_id"] for item in answer.items], answer.source, len(answer.notes)


def test_a_known_user_gets_the_list_asked_for(store: SqliteLists) -> None:
    query = RecommendationQuery(store)
    assert shown(query, "ada") == (["t1"], "read_model", 0)
    assert shown(query, "ada", {"device": "smart_tv"}) == (["t2"], "read_model", 0)
    assert query.get("ada").model_version == "7"


def test_an_answer_tells_since_when_it_is_published_cached_or_not(store: SqliteLists) -> None:
    query, published = RecommendationQuery(store), store.publication()
    assert published is not None
    first, again = query.get("ada"), query.get("ada")
    assert first.published_at == again.published_at == published.published_at
    assert again.from_cache


def test_a_cached_answer_of_another_playhead_is_replaced(store: SqliteLists) -> None:
    query = RecommendationQuery(store)
    store.remember("ada", cache_key("homepage", None), '{"user": "ada", "list": []}', 300)
    assert not query.get("ada").from_cache
    assert query.get("ada").from_cache


def test_a_publication_under_way_keeps_nobody_waiting(store: SqliteLists) -> None:
    began = time.monotonic()
    with sqlite3.connect(store._database.file, isolation_level=None) as publishing:
        publishing.execute("BEGIN IMMEDIATE")
        answer = RecommendationQuery(store).get("ada")
        publishing.execute("ROLLBACK")
    assert (answer.source, answer.notes) == ("read_model", [])
    assert time.monotonic() - began < BUSY_S / 2
    assert not RecommendationQuery(store).get("ada").from_cache


def test_clients_cannot_fill_the_memory_with_regions(store: SqliteLists) -> None:
    query = RecommendationQuery(store)
    for number in range(2 * REGIONS):
        query.get("new", {"region": f"r{number}"})
    assert len(query._popular) == REGIONS


def test_a_list_that_does_not_exist_is_replaced_and_says_so(store: SqliteLists) -> None:
    answer = RecommendationQuery(store).get("ada", "continue_watching")
    assert [item["title_id"] for item in answer.items] == ["t1"]
    assert answer.notes == ["no continue_watching list: homepage"]


def test_a_new_user_gets_what_is_popular_in_the_region(store: SqliteLists) -> None:
    query = RecommendationQuery(store)
    assert shown(query, "new", {"region": "eu"}) == (["t8"], "popular", 1)
    assert shown(query, "new", {"region": "mars"}) == (["t9"], "popular", 1)


def test_an_answer_is_given_again_until_the_list_changes(store: SqliteLists) -> None:
    query = RecommendationQuery(store)
    assert not query.get("ada").from_cache
    assert query.get("ada").from_cache
    store.apply([StoredList("ada", "homepage", TV)], Publication(4, "7"), anew=False)
    assert shown(query, "ada") == (["t2"], "read_model", 0)


def test_what_a_new_user_was_given_lasts_until_something_else_is_popular(
    store: SqliteLists,
) -> None:
    query = RecommendationQuery(store)
    query.get("new")
    assert query.get("new").from_cache
    store.apply([StoredList("*", "homepage", REGIONAL)], Publication(4, "7"), anew=False)
    assert shown(query, "new") == (["t8"], "popular", 1)


def test_another_process_makes_the_same_key() -> None:
    module = "jobs.runtime.online.recommendation_query"
    script = f"from {module} import cache_key; print(cache_key('homepage', 'eu'))"
    command = [sys.executable, "-c", script]
    other = subprocess.run(command, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == cache_key("homepage", "eu")


def test_an_application_is_answered_without_spark() -> None:
    modules = "jobs.runtime.online.recommendation_query, jobs.runtime.online.opening"
    script = f"import sys, {modules}; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_gold_stands_in_for_a_damaged_online_store(tmp_path: Path) -> None:
    (tmp_path / "lists.db").write_bytes(b"no database at all" * 100)
    gold = Gold()
    query = RecommendationQuery(SqliteLists(tmp_path / "lists.db"), gold)
    answer = query.get("ada")
    assert (answer.source, answer.model_version) == ("gold", "6")
    assert "does not serve" in answer.notes[0]
    assert query.get("ada").from_cache is False


def test_gold_stands_in_for_an_empty_online_store_until_it_is_filled(tmp_path: Path) -> None:
    store, gold = SqliteLists(tmp_path / "lists.db"), Gold()
    query = RecommendationQuery(store, gold)
    assert shown(query, "ada") == (["t2"], "gold", 1)
    store.apply(LISTS, Publication(3, "7"), anew=True)
    assert shown(query, "ada") == (["t1"], "read_model", 0)


def test_gold_is_not_asked_while_the_online_store_serves(store: SqliteLists) -> None:
    gold = Gold()
    RecommendationQuery(store, gold).get("new")
    assert gold.asked == 0


def test_with_everything_gone_what_was_popular_is_served(store: SqliteLists) -> None:
    query = RecommendationQuery(store)
    query.get("new")
    store._database._close()
    store._database.file.write_bytes(b"damaged while it was open" * 400)
    answer = query.get("ada")
    assert [item["title_id"] for item in answer.items] == ["t9"]
    assert answer.notes[-1] == "popular titles as they were last read"


def test_with_nothing_at_all_there_is_an_error_and_no_empty_list(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"the online store is empty.*jobs.score"):
        RecommendationQuery(SqliteLists(tmp_path / "lists.db")).get("ada")


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (None, ("homepage", None)),
        ("new_releases", ("new_releases", None)),
        ({"device": "console"}, ("homepage:tv", None)),
        ({"device": "toaster", "region": "eu"}, ("homepage", "eu")),
        ({"type": "new_releases", "device": "mobile"}, ("new_releases", None)),
    ],
)
def test_a_context_names_one_list(context: object, expected: tuple[str, str | None]) -> None:
    assert parse_context(context) == expected  # type: ignore[arg-type]


def test_an_unknown_context_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no lists for context 'banner'.*continue_watching"):
        parse_context("banner")
