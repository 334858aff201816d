"""The bodies of answers; each says what it was read from, and how old that is."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Recommendations(msgspec.Struct, frozen=True):
    """What to show a user in a context.

    Attributes:
        user_id: user asked about.
        context_type: context of the list asked for.
        items: titles, best first.
        source: read_model: the user's list; popular: popular titles; gold: the lake itself.
        model_version: version of the model that scored the titles; null if unknown.
        notes: why the answer is not the one asked for; empty if it is.
        from_cache: whether the same was answered before, within the cache's time.
        published_at: when the lists were published, RFC 3339; null if unknown.
        age_s: seconds since then; null if unknown.
    """

    user_id: str
    context_type: str
    items: list[dict[str, Any]]
    source: Literal["read_model", "popular", "gold"]
    model_version: str | None
    notes: list[str]
    from_cache: bool
    published_at: str | None
    age_s: float | None


class Features(msgspec.Struct, frozen=True):
    """The features of a user's last event by order.

    Attributes:
        user_id: user asked about.
        features: values by name.
        source: online_store.
        event_time: when the event happened, RFC 3339.
        event_id: which event it was.
        age_s: seconds since it happened.
        expires_at: when the features expire, RFC 3339; null: never.
        is_expired: whether that has passed: then they tell of the past, and no more.
    """

    user_id: str
    features: dict[str, Any]
    source: Literal["online_store"]
    event_time: str
    event_id: str
    age_s: float
    expires_at: str | None
    is_expired: bool


class Assignment(msgspec.Struct, frozen=True):
    """The variant of an experiment that a user gets.

    Attributes:
        user_id: user asked about.
        experiment_id: experiment asked about.
        variant: name of the variant; null if the user does not take part.
        is_published: whether the assignment is an exposure that was sent to Kafka, now or before.
        source: definitions: those of experiments, as they were when the service started.
        age_s: seconds since then.
    """

    user_id: str
    experiment_id: str
    variant: str | None
    is_published: bool
    source: Literal["definitions"]
    age_s: float


class Reason(msgspec.Struct, frozen=True):
    """Why the service is not ready.

    Attributes:
        code: lists_unavailable, nothing_published, values_unavailable or busy.
        remedy: what to do about it.
    """

    code: Literal["lists_unavailable", "nothing_published", "values_unavailable", "busy"]
    remedy: str


class Readiness(msgspec.Struct, frozen=True):
    """Whether the service can answer.

    Attributes:
        is_ready: whether it can.
        reasons: why not; empty if it can.
    """

    is_ready: bool
    reasons: list[Reason]
