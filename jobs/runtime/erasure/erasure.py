"""Erasure: remove a user from every table and file of the lake, with a certificate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from jobs.runtime.erasure.saga import Erasure, RefusedError
from jobs.runtime.lake.erasure_log import Requests
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.locks import hold_lock, run_alone
from jobs.runtime.lake.tables import BRONZE, ERASURES
from jobs.runtime.settings import Settings
from jobs.runtime.streams.queries import ERASE, INGEST, OF_THE_LAKE
from transforms.silver.families.profiles import ERASURE

log = logging.getLogger(__name__)


PROFILES = "silver.profiles"


def pending_users(lake: Lake) -> list[str]:
    """Ids of users whose erasure was begun, or is asked for by a UserErased event in silver."""
    begun = [request.user for request in Requests(lake).open()]
    if not lake.has(PROFILES):
        return begun
    asked = lake.read(PROFILES).where(f"event_type = '{ERASURE}'").select("user_id").distinct()
    return list(dict.fromkeys([*begun, *sorted(row.user_id for row in asked.collect())]))


def erase(
    lake: Lake, settings: Settings, users: Sequence[str], *, mentions: bool = False
) -> list[Path]:
    """Erase users, one after the other; erasures begun earlier come first.

    Args:
        lake: any generation of the lake.
        settings: settings of all jobs.
        users: ids of the users.
        mentions: whether to erase records with somebody else's key that hold an id, too.

    Returns:
        Paths of the certificates.

    Raises:
        RefusedError: others' records hold an id and `mentions` is not given, or a place names
            records of several users; nothing was done for that user.
        DataError: a job is running on the lake, the rows that left differ from those that were
            counted, or a file still holds an id at the end, which the certificate lists.
    """
    lake.ensure([BRONZE, ERASURES])
    requests = Requests(lake)
    certificates, refused = [], []
    with ExitStack() as stack:
        stack.enter_context(run_alone(lake.shared_checkpoint(ERASE), ERASE))
        for query in OF_THE_LAKE:
            hold = hold_lock if query == INGEST else run_alone
            stack.enter_context(hold(lake.shared_checkpoint(query), query))
        begun = [request.user for request in requests.open()]
        for user in dict.fromkeys([*begun, *users]):
            request = requests.make(user)
            try:
                certificates.append(Erasure(lake, settings, request, mentions).carry_out())
            except RefusedError as error:
                requests.close(request)
                refused.append(error)
    if refused:
        raise refused[0]
    return certificates
