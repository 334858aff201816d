"""One suite for both online stores: SQLite in a file, and a real Redis server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from jobs.runtime.errors import SettingsError
from jobs.runtime.online.lists import ListStore, Publication, StoredList
from jobs.runtime.online.opening import open_store
from jobs.runtime.online.redis_lists import RedisLists
from jobs.runtime.online.sqlite_lists import SqliteLists
from jobs.runtime.online.store import StoreError
from jobs.runtime.settings import load_settings
from tests.support.online_stores import Clock

FIRST = Publication(1, "7")


@pytest.fixture(params=["sqlite", "redis"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, redis_url: str, clock: Clock
) -> ListStore:
    if request.param == "sqlite":
        return SqliteLists(tmp_path / "online" / "lists.db", clock)
    redis.Redis.from_url(redis_url).flushdb()
    return RedisLists(redis_url, "model", clock)


def ada(document: str | None, context_type: str = "homepage") -> StoredList:
    return StoredList("ada", context_type, document)


def test_a_new_online_store_holds_nothing(store: ListStore) -> None:
    assert (store.publication(), store.get("ada", "homepage")) == (None, None)


def test_what_is_published_is_there(store: ListStore, clock: Clock) -> None:
    assert store.apply([ada("[1]"), ada("[2]", "new_releases")], FIRST, anew=True) == 2
    published = store.publication()
    assert published == FIRST
    assert published.published_at == clock.now
    assert (store.get("ada", "homepage"), store.get("ada", "new_releases")) == ("[1]", "[2]")
    assert store.get("bob", "homepage") is None


def test_changes_replace_and_take_out(store: ListStore) -> None:
    store.apply([ada("[1]"), ada("[2]", "new_releases")], FIRST, anew=True)
    store.apply([ada("[3]"), ada(None, "new_releases")], Publication(2, "7"), anew=False)
    assert (store.get("ada", "homepage"), store.get("ada", "new_releases")) == ("[3]", None)


def test_loaded_anew_it_holds_nothing_else(store: ListStore) -> None:
    store.apply([ada("[1]")], FIRST, anew=True)
    store.apply([StoredList("bob", "homepage", "[2]")], Publication(2, "7"), anew=True)
    assert (store.get("ada", "homepage"), store.get("bob", "homepage")) == (None, "[2]")


def test_an_answer_is_kept_for_its_time(store: ListStore, clock: Clock) -> None:
    store.remember("ada", "key", "answer", 300)
    clock.now += 299
    assert store.recall("ada", "key") == "answer"
    assert store.recall("ada", "other") is None
    assert store.recall("bob", "key") is None
    clock.now += 1
    assert store.recall("ada", "key") is None


def test_a_changed_list_takes_its_users_answers_with_it_and_no_others(store: ListStore) -> None:
    store.apply([], FIRST, anew=True)
    store.remember("ada", "key", "old", 300)
    store.remember("bob", "key", "good", 300)
    store.apply([ada("[1]")], Publication(2, "7"), anew=False)
    assert (store.recall("ada", "key"), store.recall("bob", "key")) == (None, "good")


@pytest.mark.parametrize(
    ("changes", "published"),
    [([], Publication(2, "8")), ([StoredList("*/eu", "homepage", "[1]")], Publication(2, "7"))],
    ids=["another model", "what is popular"],
)
def test_what_touches_everybody_takes_all_answers(
    store: ListStore, changes: list[StoredList], published: Publication
) -> None:
    store.apply([], FIRST, anew=True)
    store.remember("bob", "key", "old", 300)
    store.apply(changes, published, anew=False)
    assert store.recall("bob", "key") is None


def test_a_publication_that_breaks_off_is_not_published(store: ListStore) -> None:
    store.apply([ada("[1]")], FIRST, anew=True)

    def breaking() -> Iterator[StoredList]:
        yield ada("[2]")
        raise RuntimeError("the driver died")

    with pytest.raises(RuntimeError):
        store.apply(breaking(), Publication(2, "7"), anew=False)
    assert store.publication() == FIRST
    store.apply([ada("[2]")], Publication(2, "7"), anew=False)
    assert store.get("ada", "homepage") == "[2]"


def test_a_corrupt_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lists.db").write_bytes(b"this is no database, whatever its name" * 100)
    with pytest.raises(StoreError, match=r"lists.db does not serve.*python -m jobs.publish"):
        SqliteLists(tmp_path / "lists.db").get("ada", "homepage")


OF_0_1 = """
    CREATE TABLE lists (user_id TEXT, context_type TEXT, document TEXT NOT NULL,
        PRIMARY KEY (user_id, context_type)) WITHOUT ROWID;
    CREATE TABLE answers (user_id TEXT, key TEXT, answer TEXT NOT NULL, until REAL NOT NULL,
        PRIMARY KEY (user_id, key)) WITHOUT ROWID;
    CREATE TABLE published (one INTEGER PRIMARY KEY CHECK (one = 1), table_version INTEGER,
        model_version TEXT, generation INTEGER);
    INSERT INTO lists VALUES ('ada', 'homepage', '[1]');
    INSERT INTO published VALUES (1, 1, '7', 1);
"""


def test_a_file_of_an_earlier_playhead_is_read_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "lists.db") as connection:
        connection.executescript(OF_0_1)
    store = SqliteLists(tmp_path / "lists.db")
    assert (store.publication(), store.get("ada", "homepage")) == (FIRST, "[1]")


def test_a_file_of_a_later_playhead_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "lists.db") as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match=r"lists.db is of version 9, this playhead knows 2"):
        SqliteLists(tmp_path / "lists.db").publication()


def test_a_folder_that_may_not_be_written_is_a_matter_of_rights(tmp_path: Path) -> None:
    (tmp_path / "lists.db").mkdir()
    with pytest.raises(StoreError, match=r"unable to open.*right to write"):
        SqliteLists(tmp_path / "lists.db").publication()


def test_an_absent_server_is_a_clear_error_without_the_password() -> None:
    store = RedisLists("redis://:secret@127.0.0.1:1/0", "model")
    with pytest.raises(StoreError, match=r"Redis at 127.0.0.1:1/0 does not serve") as raised:
        store.get("ada", "homepage")
    assert "secret" not in str(raised.value)


def test_the_settings_choose(tmp_path: Path) -> None:
    settings = load_settings(environment={}).online
    assert isinstance(open_store(settings, "model", str(tmp_path)), SqliteLists)
    named = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    assert isinstance(open_store(named, "model", str(tmp_path)), RedisLists)
    with pytest.raises(SettingsError, match=r"SQLite cannot live at s3a://.*online.redis_url"):
        open_store(settings, "model", "s3a://bucket/lake")
