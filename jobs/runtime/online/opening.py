"""Which online store the settings name."""

from __future__ import annotations

from pathlib import Path

from jobs.runtime.errors import SettingsError
from jobs.runtime.online.redis import RedisLists
from jobs.runtime.online.sqlite import SqliteLists
from jobs.runtime.online.store import ListStore
from jobs.runtime.settings import RecommendSettings


def open_store(settings: RecommendSettings, root: str) -> ListStore:
    """The read model that the settings name.

    Raises:
        SettingsError: the lake is in an object store and no Redis is named.
    """
    if settings.redis_url is not None:
        return RedisLists(settings.redis_url, settings.model)
    if "://" in root:
        raise SettingsError(f"SQLite cannot live at {root}", "set recommend.redis_url")
    return SqliteLists(Path(root) / "online" / f"{settings.model}.db")
