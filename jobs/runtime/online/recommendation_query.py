"""The query side: what to show a user, and where the answer came from.

    store = open_store(settings.online, settings.recommend.model, settings.lake.root)
    query = RecommendationQuery(store, cache_s=settings.online.cache_s)
    answer = query.get("ada", {"type": "homepage", "device": "smart_tv", "region": "eu-central-1"})

An answer is never empty in silence: a list that does not exist is replaced by the user's homepage,
a user without lists gets what is popular, an online store that does not serve is replaced by gold,
and `source` and `notes` say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import msgspec

from jobs.runtime.errors import PlayheadError, ServiceError, SettingsError
from jobs.runtime.online.lists import ListStore, Publication
from jobs.runtime.online.store import StoreError
from transforms.recommendations.contexts import (
    CONTEXT_TYPES,
    DEVICE_CLASSES,
    EVERYBODY,
    HOMEPAGE,
    everybody_in,
)

Source = Literal["read_model", "gold", "popular"]
Context = Mapping[str, str]
CACHE_S = 300
REGIONS = 100  # of which popular titles are remembered


@dataclass(frozen=True)
class Answer:
    """What to show.

    Attributes:
        user_id: user who asked.
        context_type: context of the list asked for.
        items: title_id, rank, score, reason, contributions and metadata of each title, best first.
        source: `read_model`, the online store; `gold`, while the online store does not serve;
            `popular`, for a user of whom nothing is known, or while nothing else serves.
        model_version: version of the model that scored the items; None if nobody can say.
        notes: reasons why the answer is not the one asked for; empty if it is.
        from_cache: whether it was given before, within the cache's time.
        published_at: seconds since the epoch when the online store got its lists; None if it does
            not know, or for what gold answers.
    """

    user_id: str
    context_type: str
    items: list[dict[str, Any]]
    source: Source
    model_version: str | None
    notes: list[str] = field(default_factory=list)
    from_cache: bool = False
    published_at: float | None = None


class Lists(Protocol):
    """Where lists can be read: the online store, or gold itself."""

    def get(self, user_id: str, context_type: str) -> str | None:
        """Read the items of a list, a JSON array; None if there is no such list."""

    def publication(self) -> Publication | None:
        """Read what the lists are of; None if there are none."""


@dataclass(frozen=True)
class StoreLists:
    """The lists of an online store."""

    store: ListStore

    def get(self, user_id: str, context_type: str) -> str | None:
        """See `Lists`."""
        return self.store.get(user_id, context_type)

    def publication(self) -> Publication | None:
        """See `Lists`."""
        return self.store.publication()


class RecommendationQuery:
    """Answers for applications; threads may share one.

    Args:
        store: online store, which caches answers too.
        gold: lists to fall back to while the online store does not serve; None: there are none.
        cache_s: seconds that an answer is cached.
    """

    def __init__(self, store: ListStore, gold: Lists | None = None, cache_s: int = CACHE_S) -> None:
        self._store = store
        self._gold = gold
        self._cache_s = cache_s
        self._popular: dict[str, Answer] = {}

    def get(self, user_id: str, context: Context | str | None = None) -> Answer:
        """Answer with the best titles for a user in a context.

        Args:
            user_id: user to answer; an unknown one gets what is popular.
            context: `type` (homepage if absent), and what is known of `device` (a device type)
                and `region`; or the type alone.

        Raises:
            SettingsError: the context is of no known type.
            ServiceError: nothing can be served: no online store, no gold, nothing popular.
        """
        context_type, region = parse_context(context)
        key = cache_key(context_type, region)
        notes: list[str] = []
        try:
            cached = self._store.recall(user_id, key)
            if cached is not None:
                return replace(msgspec.json.decode(cached, type=Answer), from_cache=True)
        except StoreError as error:
            notes.append(error.problem)
        except msgspec.DecodeError:  # of another playhead: it is replaced
            pass
        answer, is_degraded = self._look_up(user_id, context_type, region, notes)
        if answer.source == "popular":
            self._remember_popular(region or "", answer)
        if not is_degraded:  # a degraded answer must not outlive what degraded it
            self._cache(user_id, key, answer)
        return answer

    def _look_up(
        self, user_id: str, context_type: str, region: str | None, notes: list[str]
    ) -> tuple[Answer, bool]:
        """The answer of the first source that has one, and whether it is degraded."""
        for source, lists in self._sources():
            try:
                publication = lists.publication()
                if publication is None:
                    notes.append(_EMPTY[source])
                    continue
                version, at = publication.model_version, publication.published_at
                answer = _first_list(lists, source, version, user_id, context_type, region)
                if answer is not None:
                    distinct = list(dict.fromkeys([*notes, *answer.notes]))
                    return replace(answer, notes=distinct, published_at=at), bool(notes)
                notes.append(f"nothing is popular in {_NAMES[source]}")
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
        popular = self._popular.get(region or "") or self._popular.get("")
        distinct = list(dict.fromkeys(notes))
        if popular is None:
            raise ServiceError(
                f"no recommendations for {user_id}: {'; '.join(distinct)}",
                "python -m jobs.score and python -m jobs.publish fill the online store",
            )
        return replace(
            popular,
            user_id=user_id,
            context_type=context_type,
            notes=[*distinct, "popular titles as they were last read"],
        )

    def _remember_popular(self, region: str, answer: Answer) -> None:
        """Keep what is popular for the time when nothing serves; clients name the regions."""
        if region in self._popular or len(self._popular) < REGIONS:
            self._popular[region] = answer

    def _cache(self, user_id: str, key: str, answer: Answer) -> None:
        with suppress(StoreError):  # the answer is good without being cached
            document = msgspec.json.encode(answer).decode()
            self._store.remember(user_id, key, document, self._cache_s)


_NAMES: Mapping[str, str] = {"read_model": "the online store", "gold": "gold.recommendations"}
_EMPTY: Mapping[str, str] = {
    "read_model": "the online store is empty (python -m jobs.publish fills it)",
    "gold": "gold.recommendations is empty (python -m jobs.score fills it)",
}


def parse_context(context: Context | str | None) -> tuple[str, str | None]:
    """Read the type of the list, and the region, off a context.

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
    """The key of a cached answer, the same in every process, unlike Python's hash()."""
    return json.dumps({"type": context_type, "region": region}, sort_keys=True)


def _first_list(
    lists: Lists,
    source: Source,
    version: str,
    user_id: str,
    context_type: str,
    region: str | None,
) -> Answer | None:
    """The first list there is: the one asked for, the homepage, popular titles."""
    everybody = [*([everybody_in(region)] if region else []), EVERYBODY]
    for whose in (user_id, *everybody):
        for of_type in dict.fromkeys((context_type, HOMEPAGE)):
            document = lists.get(whose, of_type)
            if document is None:
                continue
            items = msgspec.json.decode(document, type=list[dict[str, Any]])
            notes = [] if of_type == context_type else [f"no {context_type} list: {of_type}"]
            if whose == user_id:
                return Answer(user_id, context_type, items, source, version, notes)
            cold_start = f"nothing is known of {user_id}: popular titles"
            return Answer(
                user_id,
                context_type,
                items,
                "popular",
                version,
                [cold_start, *notes],
            )
    return None
