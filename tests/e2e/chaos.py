"""Chaos: real processes killed at random while faulty events arrive; then the promises are held.

`python -m tests.e2e.chaos --seed 7` starts ingest, refine and fold at once on a new lake, and sends
events in portions, with duplicates, late, out-of-order and malformed ones. While a portion is
worked through, one of the jobs is killed (SIGKILL, with its JVM) at a random moment and started
again. Now and then the broker is killed too. At moments of its own each of these happens:

- forgotten: a checkpoint is deleted.
- aged: Delta has forgotten every commit but the newest of each table that a stream reads, and
  perhaps a checkpoint is deleted as well.
- unseen: a topic is made anew while nobody reads it, and grows past the offset that was read last.
- seen: a topic is made anew under the job that reads it.
- hanging: a producer is killed in its transaction, which holds back what others send; it ends some
  portions later.
- rebuilt: the next generation is built in batch and switched to, Delta forgets what it was built
  from, and its refine checkpoint is deleted.

A job that ends by itself is a failure, told with its last lines, and every wait has an end. At the
end bronze must hold what Kafka holds, nothing may be lost or doubled, and stream, batch and oracle
must be equal. The seed decides events, faults, victims and delays; what a job was doing at the
moment it was killed is up to the machine.
"""

from __future__ import annotations

import logging
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from pyspark.sql import SparkSession

from jobs.runtime.cli import log_to_console
from jobs.runtime.kafka.clients import describe_topics, partitions_of
from jobs.runtime.kafka.embedded_broker import kafka_of
from jobs.runtime.kafka.offsets import end_offsets
from jobs.runtime.lake.generations import generations, switch
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE
from jobs.runtime.pipeline.ledger import conservation
from jobs.runtime.settings import KafkaSettings, load_settings
from jobs.runtime.spark.session import spark_session
from tests.support.aging import age
from tests.support.kafka_topics import (
    abort_transaction,
    committed,
    leave_transaction_open,
    make_anew,
)
from tests.support.processes import LONGEST_S, Process
from tests.support.promises import Former, assert_landed, assert_promises, landed
from transforms.gold.facts import FACT_SOURCES

log = logging.getLogger(__name__)


FAULTS = (
    "duplicates=0.05,late=0.02,out_of_order=0.05,malformed=0.02,wrong_key=0.01,old_versions=0.1"
)


JOBS = ("ingest", "refine", "fold")


PORTIONS = {"forgotten": 0, "aged": 0, "unseen": 2, "seen": 2, "hanging": 1, "rebuilt": 0}
"""What happens besides kills, and how many portions are sent for it."""


BATCH = re.compile(r"(ingest|refine|fold): batch \d+")


INGESTED = re.compile(r"ingest: batch \d+")


READY = re.compile("embedded broker at")


MADE_ANEW = re.compile("was deleted and made anew")


HELD_BACK = re.compile("are held back by transaction")


BUSIEST = "user-interactions"


LOOK_S = 5.0  # while a job works, whether others ended by themselves is looked at so often


PORTION_S = 2.0  # how long a portion takes to send


LINGER_S = 3.0  # a job is killed up to this long after a batch: in the next one, or between them


@dataclass
class Chaos:
    """A run.

    Args:
        spark: session of this process, in which tables age.
        root: of the lake; the broker's data is below it.
        seed: of everything that is drawn.
        events: how many, in all.
        kills: of jobs, in all; the broker is killed at every `broker_every`-th of them.
        apart: at how many of the kills, from the first, the three jobs are processes of their own;
            from then on they are one, as jobs.stream.
        mishaps: what happens besides, of PORTIONS.
    """

    spark: SparkSession
    root: Path
    seed: int
    events: int
    kills: int
    broker_every: int
    apart: int
    mishaps: Sequence[str] = tuple(PORTIONS)
    _names: tuple[str, ...] = JOBS
    _running: dict[str, Process] = field(default_factory=dict)
    _excused: set[str] = field(default_factory=set)  # may end by themselves: their broker died
    _portions: int = 0  # sent so far
    _open: list[str] = field(default_factory=list)  # transactions that hang
    _former: list[Former] = field(default_factory=list)

    def run(self) -> None:
        """Send, kill, restart, and at the end work off what is left."""
        chance = random.Random(self.seed)
        due = {name: chance.randrange(self.kills) for name in self.mishaps}
        due |= {name: 0 for name in due if name == "unseen"}  # it must outgrow what was there
        with ExitStack() as stack:
            stack.callback(self._kill_all)
            self._start_broker()
            self._finish("topics")
            for kill in range(self.kills):
                self._strike(kill, chance)
                for name in (name for name, at in due.items() if at == kill):
                    log.info("after kill %d of %d: %s", kill + 1, self.kills, name)
                    getattr(self, f"_{name}")(chance)
                if kill % self.broker_every == self.broker_every - 1:
                    self._kill_broker()
            self._kill_jobs()
            self._end_transactions()
            self._finish("stream", "--available-now")
            assert_landed(Lake(self.spark, str(self.root)), self._kafka, self._former)

    @property
    def _reader(self) -> str:
        """The job that reads Kafka."""
        return self._names[0]

    @property
    def _kafka(self) -> KafkaSettings:
        """The way to the broker that runs."""
        with kafka_of(load_settings(overrides=[f"lake.root={self.root}"], environment={})) as kafka:
            return kafka

    def _strike(self, kill: int, chance: random.Random) -> None:
        """Send a portion, and kill a job that is working on it."""
        if kill == self.apart:
            self._kill_jobs()
            self._names = ("stream",)
        for name in self._names:
            self._refuse_end(name)
            if name not in self._running or self._running[name].ended:
                self._start(name, BATCH)
        victim = chance.choice(self._names)
        before = self._running[victim].lines
        self._send()
        self._await_batch(victim, before)
        time.sleep(chance.uniform(0, LINGER_S))
        log.info("kill %d of %d: %s", kill + 1, self.kills, victim)
        self._kill(victim)
        if chance.random() < 0.3:
            self._end_transactions()

    def _await_batch(self, victim: str, before: int) -> None:
        """Return behind a batch of a job, unless one of the jobs ends by itself."""
        end = time.monotonic() + LONGEST_S
        came = False
        while not came and time.monotonic() < end:
            came = self._running[victim].comes(before, LOOK_S)
            for name in self._names:
                self._refuse_end(name)
        assert came, f"jobs.{victim} took no batch:\n{self._running[victim].last_lines}"

    def _refuse_end(self, name: str) -> None:
        """AssertionError if a job has ended by itself, with what it said last."""
        process = self._running.get(name)
        if process is not None and process.ended and name not in self._excused:
            raise AssertionError(f"jobs.{name} ended by itself:\n{process.last_lines}")

    def _kill_broker(self) -> None:
        log.info("the broker is killed")
        self._excused.update(self._running)
        self._kill("broker")
        self._start_broker()

    def _send(self) -> None:
        portions = self.kills + sum(PORTIONS[name] for name in self.mishaps)
        events = self.events // portions
        self._finish(
            *("simulate", "--events", str(events), "--rate", str(events / PORTION_S)),
            *("--users", "200", "--titles", "50", "--faults", FAULTS),
            *("--seed", str(self.seed * 1_000 + self._portions)),
        )
        self._portions += 1

    def _forgotten(self, chance: random.Random) -> None:
        query = chance.choice(JOBS)
        name = query if query in self._names else "stream"
        if name in self._running:
            self._kill(name)
        self._forget(query)

    def _aged(self, chance: random.Random) -> None:
        self._kill_jobs()
        lake = Lake(self.spark, str(self.root))
        self._age(lake)
        for query in chance.choice(((), ("refine",), ("fold",), ("refine", "fold"))):
            self._forget(query)

    def _unseen(self, _: random.Random) -> None:
        self._kill_jobs()
        before = self._ends(BUSIEST)
        self._make_anew(BUSIEST)
        self._send()
        while any(end <= before[place] for place, end in self._ends(BUSIEST).items()):
            self._send()
        self._accept()

    def _seen(self, chance: random.Random) -> None:
        if self._reader not in self._running:
            self._start(self._reader, BATCH)
            self._send()
            self._running[self._reader].await_line(0)
        self._make_anew(chance.choice((BUSIEST, "user-profile-events")))
        self._send()
        self._running[self._reader].exit_code()
        log.info("it ended: %s", self._running.pop(self._reader).last_lines.splitlines()[-1])
        self._accept()

    def _hanging(self, _: random.Random) -> None:
        if self._reader in self._running:
            self._kill(self._reader)
        self._open.append(f"chaos-{self._portions}")
        leave_transaction_open(self._kafka, self._open[-1], BUSIEST)
        self._send()
        ended = self._finish("ingest", "--available-now", pattern=HELD_BACK)
        assert ended.lines, f"it does not say that records are held back:\n{ended.last_lines}"

    def _rebuilt(self, _: random.Random) -> None:
        self._kill_jobs()
        self._finish("stream", "--available-now")
        self._finish("recompute")
        lake = Lake(self.spark, str(self.root))
        switch(lake, max(generations(lake)))
        self._age(lake)
        self._forget("refine")

    def _age(self, lake: Lake) -> None:
        """Let the tables that the streams read grow old."""
        read = (BRONZE, *FACT_SOURCES)
        age(lake, *(table for table in read if lake.has(table) and lake.version(table)))

    def _make_anew(self, topic: str) -> None:
        self._former.append(Former(topic, committed(self._kafka, [topic])))
        log.info("%s is made anew", topic)
        make_anew(self._kafka, topic)

    def _accept(self) -> None:
        """See that the loss of a topic is refused, then let the job land the new one."""
        refused = self._run("ingest", "--available-now", pattern=MADE_ANEW)
        assert refused.exit_code(), f"the loss of a topic is not seen:\n{refused.last_lines}"
        assert refused.lines, f"the loss of a topic is not told:\n{refused.last_lines}"
        self._start(self._reader, INGESTED, "--set", "ingest.fail_on_data_loss=false")
        self._running[self._reader].await_line(0)
        self._refuse_end(self._reader)

    def _ends(self, topic: str) -> dict[tuple[str, int], int]:
        """The end of each partition of a topic."""
        kafka = self._kafka
        places = partitions_of(describe_topics(kafka, [topic]))
        return end_offsets(kafka, places, committed=False)

    def _end_transactions(self) -> None:
        while self._open:
            log.info("the transaction that hangs is ended")
            abort_transaction(self._kafka, self._open.pop())

    def _forget(self, query: str) -> None:
        """Delete the checkpoint of a job that is not running."""
        lake = Lake(self.spark, str(self.root))
        folder = lake.shared_checkpoint(query) if query == "ingest" else lake.checkpoint(query)
        log.info("the checkpoint of %s is deleted", query)
        shutil.rmtree(folder, ignore_errors=True)

    def _start_broker(self) -> None:
        self._start("broker", READY)
        self._running["broker"].await_line(0)
        assert not self._running["broker"].ended, "the broker did not start"

    def _start(self, name: str, pattern: re.Pattern[str], *options: str) -> None:
        self._excused.discard(name)
        self._running[name] = Process([*self._command(name), *options], pattern)

    def _run(self, name: str, *options: str, pattern: re.Pattern[str] = BATCH) -> Process:
        """Run a job to its end."""
        self._start(name, pattern, *options)
        self._running[name].exit_code()
        return self._running.pop(name)

    def _finish(self, name: str, *options: str, pattern: re.Pattern[str] = BATCH) -> Process:
        """Run a job to its end, which must be a good one."""
        ended = self._run(name, *options, pattern=pattern)
        assert ended.exit_code() == 0, f"jobs.{name} failed:\n{ended.last_lines}"
        return ended

    def _command(self, name: str) -> list[str]:
        return [sys.executable, "-m", f"jobs.{name}", "--set", f"lake.root={self.root}"]

    def _kill(self, name: str) -> None:
        self._running.pop(name).kill()

    def _kill_jobs(self) -> None:
        """Kill the jobs that run, all at once, once none of them has ended by itself."""
        for name in self._names:
            self._refuse_end(name)
            if name in self._running:
                self._kill(name)

    def _kill_all(self) -> None:
        for name in list(self._running):
            self._kill(name)


def hold_promises(lake: Lake) -> None:
    """Compare what a run has left with the oracle and with the recompute."""
    settings = load_settings(overrides=[f"lake.root={lake.root}"], environment={})
    assert_promises(lake, settings, landed(lake))


@contextmanager
def folder_of(keep: Path | None) -> Iterator[Path]:
    """A folder that is gone afterwards, or the one to keep."""
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="playhead-chaos-") as made:
        yield Path(made)


@click.command(help=__doc__)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--events", type=click.IntRange(min=1), default=200_000, show_default=True)
@click.option("--kills", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Leave the lake in this folder.")
def main(seed: int, events: int, kills: int, keep: Path | None) -> None:
    """See the module."""
    log_to_console()
    with folder_of(keep) as folder:
        root = folder / "lake"
        spark = spark_session("chaos", load_settings(overrides=[f"lake.root={root}"]).spark)
        Chaos(spark, root, seed, events, kills, broker_every=10, apart=kills).run()
        log.info("holding the tables against the oracle")
        lake = Lake(spark, str(root))
        hold_promises(lake)
        kept = conservation(lake)
        log.info("bronze %s: silver %s, quarantine %s, duplicates %s; generation %d",
                 f"{kept.bronze:,}", f"{sum(kept.silver.values()):,}",
                 f"{sum(kept.quarantined.values()):,}", f"{kept.duplicates:,}",
                 lake.generation)  # fmt: skip
        log.info("seed %d: %d kills over %s events, nothing lost, doubled or unexplained",
                 seed, kills, f"{events:,}")  # fmt: skip


if __name__ == "__main__":
    main()
