"""The service that the settings describe."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path

from starlette.types import ASGIApp

from jobs.runtime.errors import SettingsError
from jobs.runtime.experiments.assignments import Assigner
from jobs.runtime.online.features import FEATURES
from jobs.runtime.online.opening import open_store, open_values
from jobs.runtime.service.admission import Tokens
from jobs.runtime.service.application import Limits, application
from jobs.runtime.service.queries import ApplicationQueries
from jobs.runtime.settings import ServeSettings, Settings
from transforms.experiments.definitions import Catalogue

log = logging.getLogger(__name__)


def open_tokens(settings: ServeSettings) -> Tokens:
    """The bearer tokens of the environment.

    Raises:
        SettingsError: one is too short.
    """
    text = settings.tokens.get_secret_value() if settings.tokens else ""
    return Tokens([token.strip() for token in text.split(",") if token.strip()])


def open_application(
    settings: Settings, definitions: Catalogue, assigner: Assigner | None, tokens: Tokens
) -> ASGIApp:
    """Open the stores, see that they answer, and make the application.

    Args:
        settings: settings of all jobs.
        definitions: definitions of the experiments.
        assigner: publishes assignments; None: they are only answered.
        tokens: whom it answers.

    Raises:
        SettingsError: there is no lake, or no store can be below it.
        StoreError: a store cannot be read.
    """
    online, root = settings.online, settings.lake.root
    if online.redis_url is None and "://" not in root and not Path(root).is_dir():
        raise SettingsError(
            f"there is no lake at {root}",
            "set lake.root to the one that python -m jobs.publish fills, or online.redis_url",
        )
    lists = open_store(online, settings.recommend.model, root)
    values = open_values(online, root)
    if lists.publication() is None:
        log.warning("nothing is published, users get no recommendations: python -m jobs.publish")
    values.get("", FEATURES)
    queries = ApplicationQueries(lists, values, definitions, assigner, online.cache_s)
    serve = settings.serve
    limits = Limits(serve.rate_per_s, serve.concurrency, serve.timeout_s)
    return application(queries, limits, tokens, version("playhead"))
