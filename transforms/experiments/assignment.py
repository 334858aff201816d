"""Who gets which variant: a pure function of the user, the definitions and the instant.

Every question is asked of its own salted hash, so the answers are independent of each other and
of every other experiment: whether a user is held out, which of a layer's buckets is theirs, how
early in a ramp they join, and which variant they get. Only the third depends on time, and only by
comparing with a share that never falls: whoever has joined stays, in the same variant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

from transforms.experiments.definitions import Catalogue, Experiment, traffic_share
from transforms.experiments.validation import BUCKETS


def bucket(salt: str, user_id: str) -> int:
    """One of BUCKETS equal parts of all users, by the first 8 bytes of a SHA-256.

    Equal to within one part in 10**15, the same on every machine and for ever.
    """
    digest = hashlib.sha256(f"{salt}\0{user_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % BUCKETS


def assign(
    user_id: str,
    experiment_id: str,
    definitions: Catalogue,
    *,
    at: datetime,
    context: Mapping[str, str] | None = None,
) -> str | None:
    """The variant that a user gets.

    Args:
        user_id: the user.
        experiment_id: the experiment.
        definitions: all of them.
        at: the instant of the question, with its time zone.
        context: what the application knows of the user, for the experiment's population; a key
            that is missing is in no population that asks for it.

    Returns:
        The variant, or None for a user who does not take part: held out, outside the population
        or the experiment's buckets or time, or not reached by the ramp yet.

    Raises:
        DefinitionError: an experiment without a definition.
    """
    experiment = definitions.experiment(experiment_id)
    takes_part = (
        experiment.start <= at < experiment.end
        and _in_population(experiment, context or {})
        and _owned(experiment, definitions, user_id)
        and _joined(experiment, user_id, at)
    )
    return hashed_variant(experiment, user_id) if takes_part else None


def hashed_variant(experiment: Experiment, user_id: str) -> str:
    """The variant that a user has if they take part; what an audit holds recorded ones to."""
    place = bucket(f"{experiment.salt}/variant", user_id)
    ends = accumulate(variant.weight * BUCKETS for variant in experiment.variants)
    arms = zip(experiment.variants, ends, strict=True)
    return next(variant.name for variant, end in arms if place < end)


def is_held_out(user_id: str, layer: str, definitions: Catalogue) -> bool:
    """Whether a holdout keeps the user out of a layer."""
    return any(
        _within(holdout.share, f"{holdout.salt}/holdout", user_id)
        for holdout in definitions.holdouts_of(layer)
    )


def misassigned(
    experiment: Experiment, recorded: Iterable[tuple[str, str]]
) -> list[tuple[str, str, str]]:
    """The audit: recorded assignments that the hash contradicts.

    Args:
        experiment: its definition.
        recorded: user and variant, as in ExperimentAssignment.

    Returns:
        User, recorded variant, and the variant by the hash, where the two differ.
    """
    audited = ((user, variant, hashed_variant(experiment, user)) for user, variant in recorded)
    return [row for row in audited if row[1] != row[2]]


def _owned(experiment: Experiment, definitions: Catalogue, user_id: str) -> bool:
    first, end = experiment.buckets
    place = bucket(f"{definitions.layers[experiment.layer].salt}/layer", user_id)
    return first <= place < end and not is_held_out(user_id, experiment.layer, definitions)


def _joined(experiment: Experiment, user_id: str, at: datetime) -> bool:
    return _within(traffic_share(experiment, at), f"{experiment.salt}/traffic", user_id)


def _within(share: Decimal, salt: str, user_id: str) -> bool:
    return bucket(salt, user_id) < share * BUCKETS


def _in_population(experiment: Experiment, context: Mapping[str, str]) -> bool:
    return all(context.get(key) in allowed for key, allowed in experiment.population.items())
