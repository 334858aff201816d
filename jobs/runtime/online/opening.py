"""Which online stores the settings name."""

from __future__ import annotations

from pathlib import Path

from jobs.runtime.errors import SettingsError
from jobs.runtime.online.lists import ListStore
from jobs.runtime.online.redis_lists import RedisLists
from jobs.runtime.online.redis_values import RedisValues
from jobs.runtime.online.sqlite_lists import SqliteLists
from jobs.runtime.online.sqlite_values import SqliteValues
from jobs.runtime.online.values import ValueStore
from jobs.runtime.settings import OnlineSettings

HOUR_S = 3_600


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
    return SqliteLists(_folder(root) / f"{model}.db")


def open_values(settings: OnlineSettings, root: str) -> ValueStore:
    """Open the online store of versioned values, as `open_store` does that of lists."""
    horizon_s = settings.replay_horizon_h * HOUR_S
    if settings.redis_url is not None:
        return RedisValues(settings.redis_url, horizon_s)
    return SqliteValues(_folder(root) / "values" / "values.db", horizon_s)


def _folder(root: str) -> Path:
    """The folder of the files of SQLite.

    Raises:
        SettingsError: the lake is in an object store.
    """
    if "://" in root:
        raise SettingsError(f"SQLite cannot live at {root}", "set online.redis_url")
    return Path(root).absolute() / "online"
