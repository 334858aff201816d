"""What an application may ask, without HTTP: recommendations, features, the variant of a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from jobs.runtime.errors import SettingsError
from jobs.runtime.experiments.assignments import Assigner
from jobs.runtime.online.features import FEATURES
from jobs.runtime.online.lists import ListStore
from jobs.runtime.online.recommendation_query import RecommendationQuery
from jobs.runtime.online.store import Clock, StoreError
from jobs.runtime.online.values import SECOND, ValueStore
from jobs.runtime.service.answers import Assignment, Features, Reason, Recommendations
from jobs.runtime.service.problems import ProblemError
from transforms.experiments.assignment import assign
from transforms.experiments.definitions import Catalogue
from transforms.experiments.validation import DefinitionError
from transforms.instants import instant_of, rfc3339


class ApplicationQueries:
    """Answers of the online stores and of the experiments' definitions; threads may share one.

    Args:
        lists: store of recommendations.
        values: store of features.
        definitions: definitions of the experiments.
        assigner: publishes assignments; None: they are answered, and no exposure.
        cache_s: seconds that recommendations are cached.
        clock: function that returns seconds since the epoch.
    """

    def __init__(
        self,
        lists: ListStore,
        values: ValueStore,
        definitions: Catalogue,
        assigner: Assigner | None,
        cache_s: int,
        clock: Clock = time.time,
    ) -> None:
        self._lists = lists
        self._values = values
        self._definitions = definitions
        self._assigner = assigner
        self._assigning = threading.Lock()
        self._recommendations = RecommendationQuery(lists, cache_s=cache_s)
        self._clock = clock
        self._loaded_at = clock()

    def recommendations(
        self, user_id: str, context: Mapping[str, str], max_age_s: float | None = None
    ) -> Recommendations:
        """The best titles for a user in a context.

        Args:
            user_id: user to answer; an unknown one gets what is popular.
            context: `type`, `device` and `region`, as far as they are known.
            max_age_s: greatest age of the publication to answer from, in seconds; None: any.

        Raises:
            ProblemError: the context is of no known type, or the answer is older.
            ServiceError: nothing can be served.
        """
        try:
            answer = self._recommendations.get(user_id, context)
        except SettingsError as error:
            raise ProblemError("invalid_request", str(error)) from None
        at = answer.published_at
        age_s = None if at is None else self._age_s(at)
        _refuse_stale(age_s, max_age_s)
        return Recommendations(
            answer.user_id,
            answer.context_type,
            answer.items,
            answer.source,
            answer.model_version,
            answer.notes,
            answer.from_cache,
            None if at is None else rfc3339(datetime.fromtimestamp(at, UTC)),
            age_s,
        )

    def features(self, user_id: str, max_age_s: float | None = None) -> Features:
        """The features of a user's last event by order.

        Args:
            user_id: user to answer.
            max_age_s: greatest age of the event, in seconds; None: any.

        Raises:
            ProblemError: there are none, or they are older.
            StoreError: the store cannot be read, or holds no features there.
        """
        found = self._values.get(user_id, FEATURES)
        if found is None or found.document is None:
            raise ProblemError("no_features", f"nothing is stored of {user_id}")
        age_s = self._age_s(found.event_time / SECOND)
        _refuse_stale(age_s, max_age_s)
        until = found.expires_at
        return Features(
            user_id,
            _decoded(found.document),
            "online_store",
            rfc3339(instant_of(found.event_time)),
            found.event_id,
            age_s,
            None if until is None else rfc3339(instant_of(until)),
            found.is_expired,
        )

    def assignment(
        self, user_id: str, experiment_id: str, context: Mapping[str, str]
    ) -> Assignment:
        """The variant of an experiment that a user gets, always the same.

        Args:
            user_id: user to answer.
            experiment_id: experiment to answer.
            context: what is known of the user, by name, for the experiment's population.

        Raises:
            ProblemError: there is no such experiment.
            ServiceError: the assignment could not be published.
        """
        try:
            variant = self._variant(user_id, experiment_id, context)
        except DefinitionError as error:
            raise ProblemError("unknown_experiment", str(error)) from None
        is_published = variant is not None and self._assigner is not None
        age_s = self._age_s(self._loaded_at)
        return Assignment(user_id, experiment_id, variant, is_published, "definitions", age_s)

    def missing(self) -> Iterator[Reason]:
        """Why it cannot answer, if it cannot."""
        try:
            if self._lists.publication() is None:
                yield Reason("nothing_published", "python -m jobs.publish")
        except StoreError as error:
            yield Reason("lists_unavailable", error.remedy)
        try:
            self._values.get("readiness", FEATURES)
        except StoreError as error:
            yield Reason("values_unavailable", error.remedy)

    def _variant(self, user_id: str, experiment_id: str, context: Mapping[str, str]) -> str | None:
        if self._assigner is not None:
            with self._assigning:
                return self._assigner.assign(user_id, experiment_id, context)
        now = datetime.fromtimestamp(self._clock(), UTC)
        return assign(user_id, experiment_id, self._definitions, at=now, context=context)

    def _age_s(self, at: float) -> float:
        """Seconds since an instant, in seconds since the epoch; 0 of one that is to come."""
        return round(max(0.0, self._clock() - at), 3)


def _refuse_stale(age_s: float | None, max_age_s: float | None) -> None:
    """Refuse an answer that is older than asked for, or of unknown age.

    Raises:
        ProblemError: it is.
    """
    if max_age_s is None or (age_s is not None and age_s <= max_age_s):
        return
    age = "unknown" if age_s is None else f"{age_s:.0f} s"
    raise ProblemError("too_stale", f"its age is {age}, max_age_s={max_age_s:g}")


def _decoded(document: str) -> dict[str, Any]:
    """Features as they are stored.

    Raises:
        StoreError: they are not JSON by name.
    """
    try:
        return msgspec.json.decode(document, type=dict[str, Any])
    except msgspec.DecodeError:
        raise StoreError(
            "features in the online store are no JSON object", "write them by write_features"
        ) from None
