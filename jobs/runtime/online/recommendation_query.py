"""The query side: what to show a user, and where the answer came from.

    query = RecommendationQuery(open_store(settings.recommend, settings.lake.root))
    answer = query.get("ada", {"type": "homepage", "device": "smart_tv", "region": "eu-central-1"})

An answer is never empty in silence: a list that does not exist is replaced by the user's homepage,
a user without lists gets what is popular, a read model that does not serve is replaced by gold,
and `source` and `notes` say so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.runtime.errors import PlayheadError, ServiceError, SettingsError
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import RECOMMENDATIONS
from jobs.runtime.online.store import ListStore, StoreError
from jobs.runtime.spark.failures import SPARK_ERRORS, explained
from transforms.recommendations.lists import CONTEXT_TYPES, DEVICE_CLASSES, EVERYBODY, HOMEPAGE

Source = Literal["read_model", "gold", "popular"]
Context = Mapping[str, str]
CACHE_S = 300


@dataclass(frozen=True)
class Answer:
    """What to show.

    Attributes:
        user_id: who asked.
        context_type: what for.
        items: title_id, rank, score, reason, contributions and metadata of each title, best first.
        source: `read_model`; `gold`, while the read model does not serve; `popular`, for a user
            of whom nothing is known, or while nothing else serves.
        model_version: that scored the items; None if nobody can say.
        notes: why the answer is not the one asked for; empty if it is.
        from_cache: whether it was given before, within the cache's time.
    """

    user_id: str
    context_type: str
    items: list[dict[str, Any]]
    source: Source
    model_version: str | None
    notes: list[str] = field(default_factory=list)
    from_cache: bool = False


class Lists(Protocol):
    """Where lists can be read: the read model, or gold itself."""

    def get(self, user_id: str, context_type: str) -> str | None:
        """The items of a list as a JSON array."""

    def model_version(self) -> str | None:
        """That scored the lists; None if there are none."""


@dataclass(frozen=True)
class StoreLists:
    """The lists of a read model."""

    store: ListStore

    def get(self, user_id: str, context_type: str) -> str | None:
        """See `Lists`."""
        return self.store.get(user_id, context_type)

    def model_version(self) -> str | None:
        """See `Lists`."""
        published = self.store.published()
        return None if published is None else published.model_version


@dataclass(frozen=True)
class GoldLists:
    """The lists of gold.recommendations, by Spark: right, and slow."""

    lake: Lake

    def get(self, user_id: str, context_type: str) -> str | None:
        """See `Lists`."""
        wanted = (F.col("user_id") == user_id) & (F.col("context_type") == context_type)
        row = self._read(lambda: documents(self.lake, wanted).first())
        return None if row is None else str(row.document)

    def model_version(self) -> str | None:
        """See `Lists`."""
        if not self.lake.has(RECOMMENDATIONS):
            return None
        row = self._read(
            lambda: self.lake.read(RECOMMENDATIONS).select("built_from.model_version").first()
        )
        return None if row is None else str(row.model_version)

    def _read(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except SPARK_ERRORS as error:
            raise explained(error, RECOMMENDATIONS) from None


def documents(lake: Lake, where: Column | None = None, version: int | None = None) -> DataFrame:
    """user_id, context_type and the items of each list as a JSON array (`document`)."""
    items = ("rank", "title_id", "score", "units", "reason", "contributions", "metadata")
    rows = lake.read(RECOMMENDATIONS, version)
    rows = rows if where is None else rows.where(where)
    document = F.to_json(F.sort_array(F.collect_list(F.struct(*items)))).alias("document")
    return rows.groupBy("user_id", "context_type").agg(document)


class RecommendationQuery:
    """Answers for applications; threads may share one.

    Args:
        store: the read model, which also keeps answers for `cache_s`.
        gold: asked when the read model does not serve; None: it is passed over.
        cache_s: how long an answer is kept, in seconds.
    """

    def __init__(self, store: ListStore, gold: Lists | None = None, cache_s: int = CACHE_S) -> None:
        self._store = store
        self._gold = gold
        self._cache_s = cache_s
        self._popular: dict[str, Answer] = {}

    def get(self, user_id: str, context: Context | str | None = None) -> Answer:
        """The best titles for a user in a context.

        Args:
            user_id: who; unknown users get what is popular.
            context: `type` (homepage if absent), and what is known of `device` (a device type)
                and `region`; or the type alone.

        Raises:
            SettingsError: the context is of no known type.
            ServiceError: nothing can be served: no read model, no gold, nothing popular.
        """
        context_type, region = normalised(context)
        key = cache_key(context_type, region)
        notes: list[str] = []
        try:
            kept = self._store.recall(user_id, key)
            if kept is not None:
                return replace(Answer(**json.loads(kept)), from_cache=True)
        except StoreError as error:
            notes.append(error.problem)
        answer, is_degraded = self._found(user_id, context_type, region, notes)
        if answer.source == "popular":
            self._popular[region or ""] = answer
        if not is_degraded:  # an answer of need must not outlive it
            self._keep(user_id, key, answer)
        return answer

    def _found(
        self, user_id: str, context_type: str, region: str | None, notes: list[str]
    ) -> tuple[Answer, bool]:
        """An answer, and whether it is one of need."""
        for source, lists in self._sources():
            try:
                version = lists.model_version()
                if version is None:
                    notes.append(_EMPTY[source])
                    continue
                found = _from(lists, source, version, user_id, context_type, region)
                if found is not None:
                    told = list(dict.fromkeys([*notes, *found.notes]))
                    return replace(found, notes=told), bool(notes)
                notes.append(f"nothing is popular in the {source}")
            except PlayheadError as error:
                notes.append(error.problem)
        return self._last_resort(user_id, context_type, region, notes), True

    def _sources(self) -> Iterator[tuple[Source, Lists]]:
        yield "read_model", StoreLists(self._store)
        if self._gold is not None:
            yield "gold", self._gold

    def _last_resort(
        self, user_id: str, context_type: str, region: str | None, notes: list[str]
    ) -> Answer:
        """What was popular when something last served."""
        known = self._popular.get(region or "") or self._popular.get("")
        told = list(dict.fromkeys(notes))
        if known is None:
            raise ServiceError(
                f"no recommendations for {user_id}: {'; '.join(told)}",
                "python -m jobs.score and python -m jobs.publish fill the read model",
            )
        return replace(
            known,
            user_id=user_id,
            context_type=context_type,
            notes=[*told, "popular titles as they were last read"],
        )

    def _keep(self, user_id: str, key: str, answer: Answer) -> None:
        with suppress(StoreError):  # the answer is good without being kept
            self._store.remember(user_id, key, json.dumps(asdict(answer)), self._cache_s)


_EMPTY: Mapping[str, str] = {
    "read_model": "the read model is empty (python -m jobs.publish fills it)",
    "gold": "gold.recommendations is empty (python -m jobs.score fills it)",
}


def normalised(context: Context | str | None) -> tuple[str, str | None]:
    """A context as the type of its list, and the region.

    Raises:
        SettingsError: no such type.
    """
    given = {"type": context} if isinstance(context, str) else dict(context or {})
    kind = given.get("type", HOMEPAGE)
    if kind == HOMEPAGE:
        of_device = (name for name, types in DEVICE_CLASSES.items() if given.get("device") in types)
        kind = next((f"{HOMEPAGE}:{name}" for name in of_device), HOMEPAGE)
    if kind not in CONTEXT_TYPES:
        raise SettingsError(f"no lists for context '{kind}'", f"use {', '.join(CONTEXT_TYPES)}")
    return kind, given.get("region")


def cache_key(context_type: str, region: str | None) -> str:
    """The same in every process, unlike Python's hash()."""
    return json.dumps({"type": context_type, "region": region}, sort_keys=True)


def _from(
    lists: Lists,
    source: Source,
    version: str,
    user_id: str,
    context_type: str,
    region: str | None,
) -> Answer | None:
    """The first list there is: the one asked for, the homepage, popular titles."""
    everybody = [*([f"{EVERYBODY}/{region}"] if region else []), EVERYBODY]
    for whose in (user_id, *everybody):
        for of_type in dict.fromkeys((context_type, HOMEPAGE)):
            document = lists.get(whose, of_type)
            if document is None:
                continue
            notes = [] if of_type == context_type else [f"no {context_type} list: {of_type}"]
            if whose == user_id:
                return Answer(user_id, context_type, json.loads(document), source, version, notes)
            known = [f"nothing is known of {user_id}: popular titles"]
            return Answer(
                user_id, context_type, json.loads(document), "popular", version, [*known, *notes]
            )
    return None
