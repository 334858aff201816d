"""What a job says of the records that it judged: where they ended, and if many were refused."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jobs.runtime.pipeline.ledger import Fate
from jobs.runtime.settings import RefineSettings
from transforms.events.reasons import Reason

log = logging.getLogger(__name__)

WINDOW_S = 60.0  # of a stream that goes on; one warning at most for each
RELEASE = "python -m jobs.release then judges what was refused anew"


@dataclass
class Ends:
    """How many records were read, and where they ended; the rest are duplicates.

    Attributes:
        arrived: number of records read.
        silver: number of rows, by family.
        refused: number of rows of silver.quarantine, by reason.
    """

    arrived: int = 0
    silver: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, arrived: int, fates: Sequence[Fate]) -> None:
        """Add what ops.ledger counts of a batch.

        Args:
            arrived: number of records read.
            fates: number of records written, by end.
        """
        self.arrived += arrived
        for family, reason, events in fates:
            counter, end = (self.refused, reason) if reason else (self.silver, family)
            counter[str(end)] += events

    def __str__(self) -> str:
        silver, refused = self.silver.total(), self.refused.total()
        duplicates = self.arrived - silver - refused
        return (
            f"{self.arrived:,} records: {silver:,} to silver{_listed(self.silver)}, "
            f"{refused:,} refused{_listed(self.refused)}, {duplicates:,} duplicates"
        )


def note_of(fates: Sequence[Fate]) -> str:
    """How many records of a batch were refused and for what, for the batch's line in the log."""
    ends = Ends()
    ends.add(0, fates)
    refused = ends.refused.total()
    return f"{refused:,} refused{_listed(ends.refused)}" if refused else "none refused"


def warn_if_many_refused(job: str, ends: Ends, settings: RefineSettings) -> None:
    """Log a warning with the remedy if more than `refine.warn_refused_share` was refused.

    Args:
        job: name of the job.
        ends: what became of the records.
        settings: share to warn above, and the bounds of event times.
    """
    refused = ends.refused.total()
    if refused <= settings.warn_refused_share * ends.arrived:
        return
    (reason, events), *_ = ends.refused.most_common(1)
    log.warning(
        "%s: %s of %s records were refused, more than refine.warn_refused_share (%s); %s of them "
        "for %s -> %s; %s",
        job, f"{refused:,}", f"{ends.arrived:,}", settings.warn_refused_share,
        f"{events:,}", reason, _remedy(Reason(reason), settings), RELEASE,
    )  # fmt: skip


def report_build(job: str, arrived: int, fates: Sequence[Fate], settings: RefineSettings) -> None:
    """Log the counts of a batch build, and the warning if too many records were refused.

    Args:
        job: name of the job.
        arrived: number of records read.
        fates: number of records written, by end.
        settings: share to warn above, and the bounds of event times.
    """
    ends = Ends()
    ends.add(arrived, fates)
    log.info("%s: %s", job, ends)
    warn_if_many_refused(job, ends, settings)


class FateReport:
    """The counts of a running query for the log: a note on each batch, and the sum at the end.

    Args:
        job: name of the query.
        settings: share to warn above, and the bounds of event times.
        available_now: whether the query ends by itself; it is then warned of as a whole, else by
            windows of WINDOW_S seconds.
        clock: function that returns monotonic seconds.
    """

    def __init__(
        self,
        job: str,
        settings: RefineSettings,
        *,
        available_now: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job, self._settings, self._clock = job, settings, clock
        self._window_s = float("inf") if available_now else WINDOW_S
        self._sum, self._window = Ends(), Ends()
        self._began = clock()

    def add(self, arrived: int, fates: Sequence[Fate]) -> str:
        """Count a batch that was sealed.

        Args:
            arrived: number of records read.
            fates: number of records written, by end.

        Returns:
            The note for the batch's line in the log.
        """
        for ends in (self._sum, self._window):
            ends.add(arrived, fates)
        if self._clock() >= self._began + self._window_s:
            self._close_window()
        return note_of(fates)

    def end(self) -> None:
        """Log the sum of all batches, and the warning that is still due."""
        log.info("%s: %s", self._job, self._sum)
        self._close_window()

    def _close_window(self) -> None:
        """Warn of the window if need be, and begin the next one."""
        warn_if_many_refused(self._job, self._window, self._settings)
        self._window, self._began = Ends(), self._clock()


def _listed(counted: Counter[str]) -> str:
    """Counts in parentheses, the greatest first, ties by name; empty without any."""
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{name} {events:,}" for name, events in ordered)
    return f" ({listed})" if listed else ""


def _remedy(reason: Reason, settings: RefineSettings) -> str:
    """What to do about records that were refused for a reason."""
    match reason:
        case Reason.OLD_TIME:
            days = settings.oldest_event_days
            return f"if events so old are wanted, raise refine.oldest_event_days, which is {days}"
        case Reason.FUTURE_TIME:
            seconds = settings.future_tolerance_s
            return (
                "set the senders' clocks right, or raise refine.future_tolerance_s, which is "
                f"{seconds}"
            )
        case Reason.UNKNOWN_EVENT_TYPE | Reason.UNKNOWN_VERSION:
            return "add the contract to conf/schemas, as docs/contracts.md says"
        case Reason.WRONG_TOPIC | Reason.WRONG_KEY:
            return "send them to the topic and under the key that conf/topics.yaml names"
    return "mend what sends them: path and rule in silver.quarantine name the fault"
