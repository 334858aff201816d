"""An erasure as a saga: steps in order, each recorded in ops.erasures, each safe to repeat."""

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
from jobs.runtime.online.opening import open_store
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
    """Others' records hold the id."""


class RepeatedPlacesError(RefusedError):
    """A place names a record of the user and another one: what leaves by its place is both."""


@dataclass(frozen=True)
class Erasure:
    """One user's erasure. `carry_out` does what is not yet done of it.

    The order is the guarantee:

    1. All generations catch up with bronze, so that each record has an end in each.
    2. `decided`: what leaves is counted, and the ledgers get it (`counted`).
    3. The records leave silver (`silver`), by their places, which bronze still tells; then bronze
       itself (`bronze`), and the rows of other tables (`rows`).
    4. `history`: the files behind them go; from here on bronze can be read.
    5. Gold is made anew (`gold`), the online store forgets (`lists`), and all older versions of
       all tables go (`purged`).
    6. What is left is held against what was counted.
    7. Every file is searched, the certificate written, and the request, the last place of the
       id, deleted.
    """

    lake: Lake
    settings: Settings
    request: Request
    mentions: bool

    def carry_out(self) -> Path:
        """Do what is left; the certificate's file.

        Raises:
            RefusedError: nothing was done.
            DataError: a job is running on the lake, what left is not what was counted, or a file
                still holds the id.
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
        if not is_done(self.lake, self.request, step):
            record_step(self.lake, self.request, step, work())
            log.info("erasure %d: %s", self.request.number, step)

    @cached_property
    def _builds(self) -> list[Lake]:
        return complete_generations(self.lake)

    @cached_property
    def _decided(self) -> list[Any]:
        return [
            row
            for row in recorded_steps(self.lake, self.request)
            if row.step == DECIDED and row.rows
        ]

    def _refuse_mentions(self) -> None:
        mentions = 0 if self.mentions else self._records.where("anothers").count()
        if mentions:
            raise MentionedError(
                f"{mentions:,} records with somebody else's key hold {self.request.user}",
                "see them with --dry-run; --mentions erases them as well",
            )

    def _refuse_repeated_places(self) -> None:
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
        """Hold what is left against what was counted as erased, in every generation."""
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
        with ExitStack() as stack:
            for build in self._builds:
                for query in OF_A_GENERATION:
                    stack.enter_context(hold_lock(build.checkpoint(query), query))
            yield

    def _decide(self) -> Iterable[StepRow]:
        return take_inventory(self.lake, self.request.user).tables

    def _count(self) -> Iterable[StepRow]:
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
        held = [(build, table) for build, table in self._holding(RECORD) if table != BRONZE]
        with persist(self._records) as records:
            in_parallel(lambda build, table: build.delete_matching(table, records, RECORD), held)
        return ()

    def _leave_bronze(self) -> Iterable[StepRow]:
        if (self.lake, BRONZE) in self._holding(RECORD):
            with persist(self._records) as records:
                self.lake.delete_matching(BRONZE, records, RECORD)
        return ()

    def _leave_rows(self) -> Iterable[StepRow]:
        def leave(lake: Lake, table: str) -> None:
            held = user_rows(lake, table, self.request.user)
            lake.delete_matching(table, held, TABLES[table].erased_by)

        in_parallel(leave, self._holding(*KEYED))
        return ()

    def _cut_history(self) -> Iterable[StepRow]:
        def cut(lake: Lake, table: str) -> StepRow:
            purge(lake, table)
            return step_row(lake, table, version=mark(lake, table, self._transaction))

        return in_parallel(cut, self._holding(RECORD))

    def _make_gold(self) -> Iterable[StepRow]:
        held = {row.generation for row in self._decided}
        for build in self._builds:
            discard(build.checkpoint(ATTRIBUTE), ATTRIBUTE)  # it may want what is purged
            if build.generation in held:
                discard(build.checkpoint(FOLD), FOLD)
            with folding(build, self.settings.fold, available_now=True) as run:
                follow(run)
            if build.generation in held:
                self._make_rest(build)
        return ()

    def _make_rest(self, build: Lake) -> None:
        compact(build)
        for table, remake in REMADE.items():
            if build.has(table) and not build.read(table).isEmpty():
                remake(build, self.settings)
        for table in (USER_HISTORY, TITLE_GRAM):
            if build.has(table) and not build.read(table).isEmpty():
                nothing = build.spark.createDataFrame([], TABLES[table].schema)
                build.replace(table, nothing, self._transaction)

    def _forget_lists(self) -> Iterable[StepRow]:
        store = open_store(self.settings.online, self.settings.recommend.model, self.lake.root)
        store.forget(self.request.user)
        return ()

    def _purge(self) -> Iterable[StepRow]:
        def purged(lake: Lake, table: str) -> StepRow:
            return step_row(lake, table, version=purge(lake, table))

        return in_parallel(purged, nonempty_tables(self.lake, TABLES))

    def _certify(self) -> Path:
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
        return records_of(self.lake.read(BRONZE), self.request.user)

    @property
    def _transaction(self) -> Transaction:
        return Transaction(ERASE, self.request.number)

    def _holding(self, *keys: tuple[str, ...]) -> list[TableOfLake]:
        """The tables with such a key of which rows were decided to leave, each with its lake."""
        of = {build.generation: build for build in self._builds}
        held = {(row.generation, row.table_name) for row in self._decided if row.table_name}
        return [
            (of.get(generation, self.lake), table)
            for generation, table in sorted(held, key=lambda each: (each[0] or 0, each[1]))
            if TABLES[table].erased_by in keys
        ]
