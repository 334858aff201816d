"""Assignment of users to variants: a pure function of user, definitions and instant.

Every question has its own salted hash, so the answers are independent of each other and of every
other experiment: whether a user is held out, the user's bucket of a layer, how early in a ramp the
user joins, and the variant. Only the third depends on time, and only by comparison with a share
that never falls: whoever has joined stays, in the same variant.
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
    """Hash a user to one of BUCKETS equal parts, by the first 8 bytes of a SHA-256.

    Equal to within one part in 10**15, the same on every machine and for ever.

    Args:
        salt: text that separates independent partitions.
        user_id: id of the user.

    Returns:
        The index of the bucket, from 0.
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
    """Determine a user's variant in an experiment.

    Args:
        user_id: id of the user.
        experiment_id: id of the experiment.
        definitions: all definitions.
        at: instant of the assignment, an aware datetime.
        context: the application's data on the user, for the experiment's population; a missing key
            is in no population that restricts it.

    Returns:
        The variant; None for a user who does not take part: held out, outside the population or
        the experiment's buckets or time, or not reached by the ramp yet.

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
    """The variant of a user by the hash, given that the user takes part.

    Recorded variants are audited against it (`misassigned`).
    """
    place = bucket(f"{experiment.salt}/variant", user_id)
    ends = accumulate(variant.weight * BUCKETS for variant in experiment.variants)
    arms = zip(experiment.variants, ends, strict=True)
    return next(variant.name for variant, end in arms if place < end)


def is_held_out(user_id: str, layer: str, definitions: Catalogue) -> bool:
    """Whether a holdout excludes the user from a layer."""
    return any(
        _within(holdout.share, f"{holdout.salt}/holdout", user_id)
        for holdout in definitions.holdouts_of(layer)
    )


def misassigned(
    experiment: Experiment, recorded: Iterable[tuple[str, str]]
) -> list[tuple[str, str, str]]:
    """Audit recorded assignments: find those that contradict the hash.

    Args:
        experiment: its definition.
        recorded: pairs of user and variant, as in ExperimentAssignment.

    Returns:
        User, recorded variant, and the variant by the hash, where the two differ.
    """
    audited = ((user, variant, hashed_variant(experiment, user)) for user, variant in recorded)
    return [row for row in audited if row[1] != row[2]]


def _owned(experiment: Experiment, definitions: Catalogue, user_id: str) -> bool:
    """Whether the user is in the experiment's buckets of its layer and not held out."""
    first, end = experiment.buckets
    place = bucket(f"{definitions.layers[experiment.layer].salt}/layer", user_id)
    return first <= place < end and not is_held_out(user_id, experiment.layer, definitions)


def _joined(experiment: Experiment, user_id: str, at: datetime) -> bool:
    """Whether the experiment's ramp has reached the user at an instant."""
    return _within(traffic_share(experiment, at), f"{experiment.salt}/traffic", user_id)


def _within(share: Decimal, salt: str, user_id: str) -> bool:
    """Whether the user's bucket lies in the first `share` of all buckets."""
    return bucket(salt, user_id) < share * BUCKETS


def _in_population(experiment: Experiment, context: Mapping[str, str]) -> bool:
    """Whether the context has an allowed value for each key of the experiment's population."""
    return all(context.get(key) in allowed for key, allowed in experiment.population.items())
