"""An erasure as a saga: steps in order, each recorded in ops.erasures, each idempotent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from jobs.runtime.erasure.certificate import make_certificate, refuse_finds
from jobs.runtime.erasure.inventory import (
    StepRow,
    TableOfLake,
    complete_generations,
    in_parallel,
    nonempty_tables,
    step_row,
    take_inventory,
    user_rows,
)
from jobs.runtime.errors import DataError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.erasure_log import (
    DECIDED,
    HISTORY,
    PURGED,
    Request,
    Requests,
    is_done,
    record_step,
    recorded_steps,
)
from jobs.runtime.lake.generations import Action, generations, record_action
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.locks import hold_lock
from jobs.runtime.lake.tables import BRONZE, LEDGER, RECORD, TABLES, TITLE_GRAM, USER_HISTORY
from jobs.runtime.maintenance.purge import mark, purge
from jobs.runtime.online.opening import open_store, open_values
from jobs.runtime.pipeline.fold import folding
from jobs.runtime.pipeline.gold import compact
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.pipeline.ledger import ERASED, conservation
from jobs.runtime.pipeline.refine import refining
from jobs.runtime.recompute.next_generation import REMADE
from jobs.runtime.settings import Settings
from jobs.runtime.spark.persistence import persist
from jobs.runtime.streams.checkpoints import discard
from jobs.runtime.streams.queries import ATTRIBUTE, FOLD, OF_A_GENERATION, REFINE
from jobs.runtime.streams.query import follow
from transforms.silver.erasure import records_of

log = logging.getLogger(__name__)

KEYED = {t.erased_by for t in TABLES.values() if t.erased_by not in ((), RECORD)}
ERASE = "erase"


class RefusedError(DataError):
    """An erasure that must not begin; nothing was done."""


class MentionedError(RefusedError):
    """Records with somebody else's key hold the id."""


class RepeatedPlacesError(RefusedError):
    """A record of the user shares its place with another: deleting by place would delete both."""


@dataclass(frozen=True)
class Erasure:
    """One user's erasure. `carry_out` runs the steps that are not yet recorded.

    The order is the guarantee:

    1. All generations catch up with bronze, so that each record has an end in each.
    2. `decided`: what leaves is counted, and appended to the ledgers (`counted`).
    3. The records leave silver (`silver`), by their places, which bronze still holds; then bronze
       itself (`bronze`), and the rows of other tables (`rows`).
    4. `history`: the files behind them are deleted; from here on bronze can be read.
    5. Gold is rebuilt (`gold`), the user's lists and values leave the online store (`lists`), and
       all older versions of all tables are deleted (`purged`).
    6. What remains is compared with what was counted.
    7. Every file is searched, the certificate written, and the request, the last place of the id,
       deleted.

    Attributes:
        lake: any generation of the lake.
        settings: settings of all jobs.
        request: the request to carry out.
        mentions: whether to erase records with somebody else's key that hold the id, too.
    """

    lake: Lake
    settings: Settings
    request: Request
    mentions: bool

    def carry_out(self) -> Path:
        """Run the steps that are not yet recorded, and certify the erasure.

        Returns:
            The path of the certificate.

        Raises:
            RefusedError: the erasure must not begin; nothing was done.
            DataError: a job is running on the lake, the rows that left differ from those that were
                counted, or a file still holds the id.
        """
        if not is_done(self.lake, self.request, DECIDED):
            self._refuse_mentions()
            self._refuse_repeated_places()
            self._catch_up()
        with self._streams_stopped():
            self._once(DECIDED, self._decide)
            self._once("counted", self._count)
            self._once("silver", self._leave_silver)
            self._once("bronze", self._leave_bronze)
            self._once("rows", self._leave_rows)
            self._once(HISTORY, self._cut_history)
        self._once("gold", self._make_gold)
        self._once("lists", self._forget_lists)
        with self._streams_stopped():
            self._once(PURGED, self._purge)
        self._refuse_difference()
        return self._certify()

    def _once(self, step: str, work: Callable[[], Iterable[StepRow]]) -> None:
        """Run and record a step, unless it is recorded.

        Args:
            step: name of the step.
            work: function that runs it and returns its rows of ops.erasures.
        """
        if not is_done(self.lake, self.request, step):
            record_step(self.lake, self.request, step, work())
            log.info("erasure %d: %s", self.request.number, step)

    @cached_property
    def _builds(self) -> list[Lake]:
        """The lake pinned to each complete generation."""
        return complete_generations(self.lake)

    @cached_property
    def _decided(self) -> list[Any]:
        """The rows of ops.erasures that count what leaves, without those of 0 rows."""
        return [
            row
            for row in recorded_steps(self.lake, self.request)
            if row.step == DECIDED and row.rows
        ]

    def _refuse_mentions(self) -> None:
        """Stop if records with somebody else's key hold the id, unless they are to be erased.

        Raises:
            MentionedError: there are such records.
        """
        mentions = 0 if self.mentions else self._records.where("anothers").count()
        if mentions:
            raise MentionedError(
                f"{mentions:,} records with somebody else's key hold {self.request.user}",
                "see them with --dry-run; --mentions erases them as well",
            )

    def _refuse_repeated_places(self) -> None:
        """Stop if other records of bronze have the place of one of the user's records.

        Raises:
            RepeatedPlacesError: there are such records.
        """
        with persist(self._records.select(*RECORD)) as places:
            erased = places.count()
            named = self.lake.read(BRONZE).join(places.distinct(), list(RECORD), "left_semi")
            others = named.count() - erased
        if others:
            raise RepeatedPlacesError(
                f"{others:,} other records of {BRONZE} have the place of a record of "
                f"{self.request.user} (a topic made anew, landed by an earlier playhead)",
                "land the topic again into another lake.root with python -m jobs.ingest: it gives "
                "every record a place of its own",
            )

    def _refuse_difference(self) -> None:
        """Compare what remains with what was counted as erased, in every generation.

        Raises:
            DataError: a generation's tables do not agree with its ledger.
        """
        for build in self._builds:
            kept = conservation(build)
            if not kept.conserved:
                raise DataError(
                    f"erasure {self.request.number}: generation {build.generation} does not hold "
                    f"what its ledger counts less what was erased: {kept}",
                    "restore the lake from a copy of before: more or less has left it than the "
                    "user's records",
                )

    def _catch_up(self) -> None:
        """Delete incomplete generations, and run refine through all of bronze in the others."""
        for generation in generations(self.lake).values():
            if not generation.is_complete:
                if not generation.is_retired:
                    record_action(self.lake, generation.number, Action.RETIRED)
                self.lake.of_generation(generation.number).remove_generation()
        judge = load_judge(self.settings.refine)
        for build in self._builds:
            with refining(build, judge, self.settings.refine, available_now=True) as run:
                follow(run)

    @contextmanager
    def _streams_stopped(self) -> Iterator[None]:
        """Hold the locks of the streams of all complete generations for the time of the block.

        Raises:
            DataError: one of the streams is running.
        """
        with ExitStack() as stack:
            for build in self._builds:
                for query in OF_A_GENERATION:
                    stack.enter_context(hold_lock(build.checkpoint(query), query))
            yield

    def _decide(self) -> Iterable[StepRow]:
        """Count what leaves.

        Returns:
            The rows of the inventory.
        """
        return take_inventory(self.lake, self.request.user).tables

    def _count(self) -> Iterable[StepRow]:
        """Append what leaves to the ledger of each generation as `erased`, by end."""
        for build in self._builds:
            _, sequence = build.transaction(LEDGER, REFINE)
            now = datetime.now(UTC)
            rows = [
                (sequence or 0, ERASED, row.detail, row.rows, now)
                for row in self._decided
                if row.generation == build.generation and row.detail
            ]
            ledger = build.spark.createDataFrame(rows, TABLES[LEDGER].schema)
            build.append(LEDGER, ledger.coalesce(1), self._transaction)
        return ()

    def _leave_silver(self) -> Iterable[StepRow]:
        """Delete the user's records from the tables of all generations that are keyed by place."""
        held = [(build, table) for build, table in self._holding(RECORD) if table != BRONZE]
        with persist(self._records) as records:
            in_parallel(lambda build, table: build.delete_matching(table, records, RECORD), held)
        return ()

    def _leave_bronze(self) -> Iterable[StepRow]:
        """Delete the user's records from bronze."""
        if (self.lake, BRONZE) in self._holding(RECORD):
            with persist(self._records) as records:
                self.lake.delete_matching(BRONZE, records, RECORD)
        return ()

    def _leave_rows(self) -> Iterable[StepRow]:
        """Delete the user's rows from the tables that have a key of their own."""

        def leave(lake: Lake, table: str) -> None:
            held = user_rows(lake, table, self.request.user)
            lake.delete_matching(table, held, TABLES[table].erased_by)

        in_parallel(leave, self._holding(*KEYED))
        return ()

    def _cut_history(self) -> Iterable[StepRow]:
        """Purge the tables that records were deleted from.

        Returns:
            One row of ops.erasures a table, with its new version.
        """

        def cut(lake: Lake, table: str) -> StepRow:
            purge(lake, table)
            return step_row(lake, table, version=mark(lake, table, self._transaction))

        return in_parallel(cut, self._holding(RECORD))

    def _make_gold(self) -> Iterable[StepRow]:
        """Rebuild gold of the generations that held records of the user.

        The other generations' fold catches up; attribution restarts in all of them.
        """
        held = {row.generation for row in self._decided}
        for build in self._builds:
            discard(build.checkpoint(ATTRIBUTE), ATTRIBUTE)  # it may need versions to be purged
            if build.generation in held:
                discard(build.checkpoint(FOLD), FOLD)
            with folding(build, self.settings.fold, available_now=True) as run:
                follow(run)
            if build.generation in held:
                self._make_rest(build)
        return ()

    def _make_rest(self, build: Lake) -> None:
        """Compact gold, rebuild the tables of optional jobs, and empty the recommender's inputs."""
        compact(build)
        for table, remake in REMADE.items():
            if build.has(table) and not build.read(table).isEmpty():
                remake(build, self.settings)
        for table in (USER_HISTORY, TITLE_GRAM):
            if build.has(table) and not build.read(table).isEmpty():
                nothing = build.spark.createDataFrame([], TABLES[table].schema)
                build.replace(table, nothing, self._transaction)

    def _forget_lists(self) -> Iterable[StepRow]:
        """Delete the user's recommendations and values from the online store."""
        online, root = self.settings.online, self.lake.root
        open_store(online, self.settings.recommend.model, root).forget(self.request.user)
        open_values(online, root).forget(self.request.user)
        return ()

    def _purge(self) -> Iterable[StepRow]:
        """Purge every table.

        Returns:
            One row of ops.erasures a table, with its new version.
        """

        def purged(lake: Lake, table: str) -> StepRow:
            return step_row(lake, table, version=purge(lake, table))

        return in_parallel(purged, nonempty_tables(self.lake, TABLES))

    def _certify(self) -> Path:
        """Write the certificate and delete the request.

        Returns:
            The path of the certificate.

        Raises:
            DataError: files still hold the id; the erasure is requested again.
        """
        requests = Requests(self.lake)
        certificate = make_certificate(self.lake, self.settings, self.request)
        file = requests.certify(self.request, certificate)
        requests.close(self.request)
        if certificate["finds"]:
            requests.make(self.request.user)
        refuse_finds(certificate, file)
        return file

    @property
    def _records(self) -> DataFrame:
        """The places of the records of bronze that hold the user, as `records_of`."""
        return records_of(self.lake.read(BRONZE), self.request.user)

    @property
    def _transaction(self) -> Transaction:
        """The erasure's Delta transaction, the same for every repeat."""
        return Transaction(ERASE, self.request.number)

    def _holding(self, *keys: tuple[str, ...]) -> list[TableOfLake]:
        """The tables with one of some keys that hold rows to be erased.

        Args:
            keys: values of `Table.erased_by`.

        Returns:
            Tables with their pinned lakes, in order of generation and name.
        """
        of = {build.generation: build for build in self._builds}
        held = {(row.generation, row.table_name) for row in self._decided if row.table_name}
        return [
            (of.get(generation, self.lake), table)
            for generation, table in sorted(held, key=lambda each: (each[0] or 0, each[1]))
            if TABLES[table].erased_by in keys
        ]
