"""Erasure log: requests, recorded steps, and the checks that other jobs make against them.

A request is a file below `<lake>/erasures`, which names the user until the certificate is written.
ops.erasures holds the steps without the id: a step is one append, whose Delta transaction is the
step's name with the number of the erasure, so a step is recorded once and is cheap to look up.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from jobs.runtime.errors import DataError
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import BRONZE, ERASURES, TABLES
from transforms.instants import instant_of

DECIDED, HISTORY, PURGED = "decided", "history", "purged"


@dataclass(frozen=True)
class Request:
    """A request to erase a user.

    Attributes:
        number: number of the erasure, from 1.
        user: id of the user.
        salt: hexadecimal salt of this erasure alone.
        asked_at: time of the request, RFC 3339, UTC.
    """

    number: int
    user: str
    salt: str
    asked_at: str

    @property
    def subject(self) -> str:
        """The pseudonym of the user: HMAC-SHA-256 of the id with the salt, hexadecimal."""
        salt = bytes.fromhex(self.salt)
        return hmac.new(salt, self.user.encode(), hashlib.sha256).hexdigest()


class Requests:
    """The requests of a lake that are not certified yet."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._folder = Path(lake.root) / "erasures"

    def open(self) -> list[Request]:
        """The requests that are not certified, by number."""
        files = sorted(self._folder.glob("*.request"), key=lambda file: int(file.stem))
        return [Request(**json.loads(file.read_text(encoding="utf-8"))) for file in files]

    def make(self, user: str) -> Request:
        """Create a request to erase a user, or find the open one.

        Returns:
            The user's open request if there is one, else a new one, which is on disk.
        """
        for known in self.open():
            if known.user == user:
                return known
        self._folder.mkdir(parents=True, exist_ok=True)
        last = max((int(file.stem) for file in self._folder.iterdir()), default=0)
        now = datetime.now(UTC).isoformat()
        made = Request(last + 1, user, secrets.token_hex(16), now)
        unfinished = self._file(made).with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(made)), encoding="utf-8")
        unfinished.replace(self._file(made))
        return made

    def close(self, request: Request) -> None:
        """Delete a request's file, and with it the user's id."""
        self._file(request).unlink(missing_ok=True)

    def certify(self, request: Request, certificate: Mapping[str, Any]) -> Path:
        """Write the certificate of a request.

        Args:
            request: the request.
            certificate: JSON object to write.

        Returns:
            The file, `<lake>/erasures/<number>.json`.
        """
        file = self._folder / f"{request.number}.json"
        file.write_text(json.dumps(certificate, indent=2) + "\n", encoding="utf-8")
        return file

    def _file(self, request: Request) -> Path:
        """The file of a request."""
        return self._folder / f"{request.number}.request"


def is_done(lake: Lake, request: Request, step: str) -> bool:
    """Whether an erasure has recorded a step."""
    return _last(lake, step) == request.number


def record_step(
    lake: Lake, request: Request, step: str, rows: Iterable[Mapping[str, Any]] = ()
) -> None:
    """Record a step of an erasure in ops.erasures, once.

    Args:
        lake: the lake, at any generation.
        request: the erasure.
        step: name of the step.
        rows: values of further columns, one mapping for each row; without any, one row is written.
    """
    heading = {"erasure": request.number, "subject": request.subject, "step": step}
    heading["at"] = datetime.now(UTC)
    schema = TABLES[ERASURES].schema
    told = [{**heading, **row} for row in rows] or [heading]
    values = [tuple(row.get(name) for name in schema.fieldNames()) for row in told]
    frame = lake.spark.createDataFrame(values, schema).coalesce(1)
    lake.append(ERASURES, frame, Transaction(step, request.number))


def recorded_steps(lake: Lake, request: Request) -> list[Any]:
    """The rows of ops.erasures of one erasure, in order of time, generation, table and detail.

    Returns:
        Rows with the table's columns, `at` in microseconds since 1970.
    """
    own = lake.read(ERASURES).where(F.col("erasure") == request.number)
    rows = own.withColumn("at", F.unix_micros("at"))
    return rows.orderBy("at", "generation", "table_name", "detail").collect()


def refuse_unfinished(lake: Lake, query: str) -> None:
    """Refuse to run beside an erasure that has begun and has not purged all tables.

    Args:
        lake: the lake, at any generation.
        query: name of the caller, for the message.

    Raises:
        DataError: such an erasure exists.
    """
    begun, through = _last(lake, DECIDED), _last(lake, PURGED)
    if begun != through:
        raise DataError(
            f"{query}: erasure {begun} was killed before its end",
            "finish it: python -m jobs.erase --pending",
        )


def history_begins(lake: Lake) -> tuple[int, datetime] | None:
    """Where the history of bronze begins after the last erasure.

    Returns:
        The first version of bronze.events that streams and builds may read, and the time (UTC) that
        it was recorded at; None if nothing was erased from bronze: its history is whole.
    """
    if _last(lake, HISTORY) is None:
        return None
    marks = lake.read(ERASURES).where((F.col("table_name") == BRONZE) & (F.col("step") == HISTORY))
    rows = marks.select("version", F.unix_micros("at").alias("at"))
    newest = rows.orderBy("version", ascending=False).first()
    return None if newest is None else (newest.version, instant_of(newest["at"]))


def last_offsets(lake: Lake) -> dict[tuple[str, int], int]:
    """The greatest offsets that bronze held when a user was erased.

    Returns:
        Bronze offset by topic and partition; empty if there was no erasure.
    """
    if _last(lake, DECIDED) is None:
        return {}
    places = lake.read(ERASURES).select(F.explode("landed").alias("place", "last"))
    last = places.groupBy("place").agg(F.max("last").alias("last")).collect()
    split = ((*row.place.rsplit("/", 1), row.last) for row in last)
    return {(topic, int(partition)): offset for topic, partition, offset in split}


def _last(lake: Lake, step: str) -> int | None:
    """The number of the last erasure that recorded a step, None without one."""
    return lake.transaction(ERASURES, step)[1] if lake.has(ERASURES) else None
