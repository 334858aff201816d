"""Which online store the settings name."""

from __future__ import annotations

from pathlib import Path

from jobs.runtime.errors import SettingsError
from jobs.runtime.online.lists import ListStore
from jobs.runtime.online.redis_lists import RedisLists
from jobs.runtime.online.sqlite_lists import SqliteLists
from jobs.runtime.settings import OnlineSettings


def open_store(settings: OnlineSettings, model: str, root: str) -> ListStore:
    """Open the online store of a model's lists; nothing is connected before the first call.

    Args:
        settings: the section `online`.
        model: the registered name of the model, recommend.model.
        root: where the lake is: a folder or a URI.

    Returns:
        Redis if `redis_url` names one, else SQLite below the lake.

    Raises:
        SettingsError: the lake is in an object store and no Redis is named.
    """
    if settings.redis_url is not None:
        return RedisLists(settings.redis_url, model)
    if "://" in root:
        raise SettingsError(f"SQLite cannot live at {root}", "set online.redis_url")
    return SqliteLists(Path(root).absolute() / "online" / f"{model}.db")
