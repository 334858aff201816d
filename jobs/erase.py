"""Erase: remove a user from every table and file of the lake, with a certificate."""

from __future__ import annotations

import logging

import click

from jobs.runtime.cli import job, refuse_ignored
from jobs.runtime.erasure.erasure import erase, pending_users
from jobs.runtime.erasure.inventory import take_inventory
from jobs.runtime.errors import SettingsError
from jobs.runtime.lake.lake import Lake, open_live_lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.settings import Settings
from transforms.ids import is_id

log = logging.getLogger(__name__)


@job
@refuse_ignored({"--pending": ("--mentions", "--dry-run"), "--dry-run": ("USER", "--pending")})
@click.argument("user", required=False)
@click.option("--pending", is_flag=True, help="Erase whom UserErased events name, and go on with "
              "erasures that were killed.")  # fmt: skip
@click.option("--mentions", is_flag=True, help="Also erase others' records that hold the id.")
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
def main(
    settings: Settings, user: str | None, pending: bool, mentions: bool, dry_run: bool
) -> None:
    """Erase USER from bronze, silver, quarantine, gold, the online store and the files below them.

    The user's records leave bronze and every generation, and gold is rebuilt from what remains
    (docs/semantics.md, Erasure). Older versions of all tables are deleted with them: nothing below
    lake.root can be read as of an earlier time. At the end every file is searched for the id, and a
    certificate is written to <lake.root>/erasures.

    Stop the streaming jobs, and start no other job, until it is done: it refuses to begin beside
    ingest, refine, fold, attribute, recompute or maintain. Killed at any moment, python -m
    jobs.erase --pending resumes it; until then ingest and refine refuse to start. Kafka keeps its
    own copies for its retention, and a record that arrives later is an event like any other: the
    certificate says when to erase once more to be sure.

    python -m jobs.erase ada --dry-run
    """
    if user is None and not pending:
        raise SettingsError("nobody is named to be erased", "give a user's id, or --pending")
    lake = _lake(settings)
    users = pending_users(lake) if user is None else [_id(user)]
    if dry_run:
        for each in users:
            for line in take_inventory(lake, each).lines():
                click.echo(line)
        return
    for certificate in erase(lake, settings, users, mentions=mentions):
        log.info("certificate: %s", certificate)


def _lake(settings: Settings) -> Lake:
    """The live generation of a lake on a local disk.

    Raises:
        SettingsError: the lake is on an object store, whose files cannot be searched.
        DataError: there is no bronze.
    """
    if "://" in settings.lake.root:
        raise SettingsError(
            f"the files at {settings.lake.root} cannot be searched", "mount them as a folder"
        )
    lake = open_live_lake("erase", settings)
    lake.require(BRONZE)
    return lake


def _id(user: str) -> str:
    """The id, if it can be one.

    Raises:
        SettingsError: it has characters that ids do not have.
    """
    if not is_id(user):
        raise SettingsError(f"{user!r} is no id", "ids have letters, digits and _ . : - only")
    return user


if __name__ == "__main__":
    main()
