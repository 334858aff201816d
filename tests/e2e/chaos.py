"""Chaos: real processes killed at random while faulty events arrive; then the promises are held.

`python -m tests.e2e.chaos --seed 7` sends events in portions, with duplicates, late, out-of-order
and malformed ones. While a portion is worked through, one of the jobs is killed (SIGKILL, with its
JVM) at a random moment and started again. Now and then the broker is killed too, and once a
checkpoint is deleted. At the end nothing may be lost or doubled, and stream, batch and oracle must
be equal. The seed decides events, faults, victims and delays; what a job was doing at the moment
it was killed is up to the machine.
"""

from __future__ import annotations

import logging
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from jobs.runtime.cli import log_to_console
from jobs.runtime.lake.lake import Lake
from jobs.runtime.settings import load_settings
from jobs.runtime.spark.session import spark_session
from tests.support.processes import LONGEST_S, Process
from tests.support.promises import assert_promises, landed

log = logging.getLogger(__name__)


FAULTS = (
    "duplicates=0.05,late=0.02,out_of_order=0.05,malformed=0.02,wrong_key=0.01,old_versions=0.1"
)


JOBS = ("ingest", "refine", "fold")


BATCH = re.compile(r"(ingest|refine|fold): batch \d+")


READY = re.compile("embedded broker at")


PORTION_S = 2.0  # how long a portion takes to send


LINGER_S = 3.0  # a job is killed up to this long after a batch: in the next one, or between them


@dataclass
class Chaos:
    """A run.

    Args:
        root: of the lake; the broker's data is below it.
        seed: of everything that is drawn.
        events: how many, in all.
        kills: of jobs, in all; the broker is killed at every `broker_every`-th of them.
        together: one process for the three jobs, as jobs.stream.
    """

    root: Path
    seed: int
    events: int
    kills: int
    broker_every: int
    together: bool
    _running: dict[str, Process] = field(default_factory=dict)
    _excused: set[str] = field(default_factory=set)  # may end by themselves: their broker died

    def run(self) -> None:
        """Send, kill, restart, and at the end work off what is left."""
        chance = random.Random(self.seed)
        forgotten = chance.randrange(self.kills)
        with ExitStack() as stack:
            stack.callback(self._kill_all)
            self._start_broker()
            self._finish("topics")
            for kill in range(self.kills):
                self._strike(kill, chance)
                if kill == forgotten:
                    self._forget(chance.choice(JOBS))
                if kill % self.broker_every == self.broker_every - 1:
                    self._kill_broker()
            for name in self._names:
                if name in self._running:
                    self._kill(name)
            self._finish("stream", "--available-now")

    @property
    def _names(self) -> tuple[str, ...]:
        return ("stream",) if self.together else JOBS

    def _strike(self, kill: int, chance: random.Random) -> None:
        """Send a portion, and kill a job that is working on it."""
        for name in self._names:
            self._refuse_end(name)
            if name not in self._running or self._running[name].ended:
                self._start(name, BATCH)
        victim = chance.choice(self._names)
        before = self._running[victim].lines
        self._send(kill)
        self._running[victim].await_line(before)
        self._refuse_end(victim)
        time.sleep(chance.uniform(0, LINGER_S))
        log.info("kill %d of %d: %s", kill + 1, self.kills, victim)
        self._kill(victim)

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

    def _send(self, portion: int) -> None:
        events = self.events // self.kills
        self._finish(
            *("simulate", "--events", str(events), "--rate", str(events / PORTION_S)),
            *("--users", "200", "--titles", "50", "--faults", FAULTS),
            *("--seed", str(self.seed * 1_000 + portion)),
        )

    def _forget(self, query: str) -> None:
        """Delete the checkpoint of a job, which is killed for that."""
        name = "stream" if self.together else query
        if name in self._running:
            self._kill(name)
        checkpoints = self.root / "checkpoints"
        shared = query == "ingest"
        folder = checkpoints / query if shared else checkpoints / "generation=1" / query
        log.info("the checkpoint of %s is deleted", query)
        shutil.rmtree(folder, ignore_errors=True)

    def _start_broker(self) -> None:
        self._start("broker", READY)
        self._running["broker"].await_line(0)
        assert not self._running["broker"].ended, "the broker did not start"

    def _start(self, name: str, pattern: re.Pattern[str]) -> None:
        self._excused.discard(name)
        self._running[name] = Process(self._command(name), pattern)

    def _finish(self, name: str, *options: str) -> None:
        command = [*self._command(name), *options]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=LONGEST_S)
        assert ended.returncode == 0, f"jobs.{name} failed:\n{ended.stderr[-2_000:]}"

    def _command(self, name: str) -> list[str]:
        return [sys.executable, "-m", f"jobs.{name}", "--set", f"lake.root={self.root}"]

    def _kill(self, name: str) -> None:
        self._running.pop(name).kill()

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
        Chaos(root, seed, events, kills, broker_every=10, together=False).run()
        log.info("holding the tables against the oracle")
        settings = load_settings(overrides=[f"lake.root={root}"])
        hold_promises(Lake(spark_session("chaos", settings.spark), str(root)))
        log.info("seed %d: %d kills over %s events, nothing lost, doubled or unexplained",
                 seed, kills, f"{events:,}")  # fmt: skip


if __name__ == "__main__":
    main()
