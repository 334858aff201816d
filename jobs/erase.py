"""Erase: a user leaves every table and file of the lake, with a certificate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from jobs.erasure import Erasure, MentionedError
from jobs.ingest import QUERY as INGEST
from jobs.maintain import JOB as MAINTAIN
from jobs.recompute import JOB as RECOMPUTE
from jobs.runtime.checkpoints import locked
from jobs.runtime.cli import job
from jobs.runtime.erasures import Requests
from jobs.runtime.errors import SettingsError
from jobs.runtime.holdings import found
from jobs.runtime.lake import Lake
from jobs.runtime.session import spark_session
from jobs.runtime.settings import Settings
from jobs.runtime.tables import BRONZE, ERASURES
from transforms.silver.erasure import is_id
from transforms.silver.families.profiles import ERASURE

log = logging.getLogger(__name__)

PROFILES = "silver.profiles"
WRITERS = (INGEST, RECOMPUTE, MAINTAIN)


@job
@click.argument("user", required=False)
@click.option("--pending", is_flag=True, help="Erase whom UserErased events name, and go on with "
              "erasures that were killed.")  # fmt: skip
@click.option("--mentions", is_flag=True, help="Also erase others' records that hold the id.")
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
def main(
    settings: Settings, user: str | None, pending: bool, mentions: bool, dry_run: bool
) -> None:
    """Erase USER from bronze, silver, quarantine, gold, the read model and the files below them.

    The user's records leave bronze and every generation, and gold is made anew from what remains
    (docs/semantics.md, Erasure). Older versions of all tables go with it: nothing below lake.root
    can be read as of a time before. At the end every file is searched for the id, and a
    certificate is written to <lake.root>/erasures.

    Stop the streaming jobs, and start no other job, until it is through: it refuses to begin
    beside ingest, refine, fold, attribute, recompute or maintain. Killed at any moment,
    python -m jobs.erase --pending goes on where it was; until then ingest and refine refuse to
    start. Kafka keeps its own copies for its retention, and what arrives later is an event like
    any other: the certificate says when to erase once more to be sure.

    python -m jobs.erase ada --dry-run
    """
    if user is None and not pending:
        raise SettingsError("nobody is named to be erased", "give a user's id, or --pending")
    if user is not None and pending:
        raise SettingsError(f"--pending, and {user} besides", "give one of them")
    lake = _lake(settings)
    users = pending_users(lake) if user is None else [_id(user)]
    if dry_run:
        for each in users:
            for line in found(lake, each).lines():
                click.echo(line)
        return
    for certificate in erase(lake, settings, users, mentions=mentions):
        log.info("certificate: %s", certificate)


def pending_users(lake: Lake) -> list[str]:
    """Whose erasure was begun, or asked for by an event that silver holds."""
    begun = [request.user for request in Requests(lake).open()]
    if not lake.has(PROFILES):
        return begun
    asked = lake.read(PROFILES).where(f"event_type = '{ERASURE}'").select("user_id").distinct()
    return list(dict.fromkeys([*begun, *sorted(row.user_id for row in asked.collect())]))


def erase(
    lake: Lake, settings: Settings, users: Sequence[str], *, mentions: bool = False
) -> list[Path]:
    """Erase users, one after the other; what was begun before comes first.

    Args:
        lake: any generation of it.
        settings: of all jobs.
        users: ids.
        mentions: also erase records with somebody else's key that hold an id.

    Returns:
        The certificates' files.

    Raises:
        DataError: a job is running on the lake; others' records hold an id and `mentions` is not
            given; or a file still holds an id at the end, of which the certificate tells.
    """
    lake.ensure([BRONZE, ERASURES])
    requests = Requests(lake)
    certificates, refused = [], []
    with ExitStack() as stack:
        for query in WRITERS:
            stack.enter_context(locked(lake.shared_checkpoint(query), query))
        begun = [request.user for request in requests.open()]
        for user in dict.fromkeys([*begun, *users]):
            request = requests.make(user)
            try:
                certificates.append(Erasure(lake, settings, request, mentions).carry_out())
            except MentionedError as error:
                requests.close(request)
                refused.append(error)
    if refused:
        raise refused[0]
    return certificates


def _lake(settings: Settings) -> Lake:
    if "://" in settings.lake.root:
        raise SettingsError(
            f"the files at {settings.lake.root} cannot be searched", "mount them as a folder"
        )
    lake = Lake(spark_session("erase", settings.spark), settings.lake.root)
    if not lake.has(BRONZE):
        raise SettingsError(f"the lake at {lake.root} has no {BRONZE}", "set lake.root to a lake")
    return lake


def _id(user: str) -> str:
    if not is_id(user):
        raise SettingsError(f"{user!r} is no id", "ids have letters, digits and _ . : - only")
    return user


if __name__ == "__main__":
    main()
