"""Erasures: who asked, how far each has come, and what others must heed of it.

A request is a file below `<lake>/erasures`, which names the user until the certificate is written.
ops.erasures keeps the steps without the id: a step is one append, whose Delta transaction is the
step's name with the number of the erasure, so a step is recorded once and asked for cheaply.
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

DECIDED, HISTORY, PURGED = "decided", "history", "purged"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        number: of the erasure, from 1.
        user: the id.
        salt: hexadecimal, of this erasure alone.
        asked_at: RFC 3339, UTC.
    """

    number: int
    user: str
    salt: str
    asked_at: str

    @property
    def subject(self) -> str:
        """What names the user where the id must not stand."""
        salt = bytes.fromhex(self.salt)
        return hmac.new(salt, self.user.encode(), hashlib.sha256).hexdigest()


class Requests:
    """The erasures of a lake that are not certified yet."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._folder = Path(lake.root) / "erasures"

    def open(self) -> list[Request]:
        """Those not certified, in order."""
        files = sorted(self._folder.glob("*.request"), key=lambda file: int(file.stem))
        return [Request(**json.loads(file.read_text(encoding="utf-8"))) for file in files]

    def make(self, user: str) -> Request:
        """Ask for an erasure; the one that is open if there is one."""
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
        """Forget the id."""
        self._file(request).unlink(missing_ok=True)

    def certify(self, request: Request, certificate: Mapping[str, Any]) -> Path:
        """Write a certificate; its file."""
        file = self._folder / f"{request.number}.json"
        file.write_text(json.dumps(certificate, indent=2) + "\n", encoding="utf-8")
        return file

    def _file(self, request: Request) -> Path:
        return self._folder / f"{request.number}.request"


def is_done(lake: Lake, request: Request, step: str) -> bool:
    """Is a step of this erasure recorded?"""
    return _last(lake, step) == request.number


def record_step(
    lake: Lake, request: Request, step: str, rows: Iterable[Mapping[str, Any]] = ()
) -> None:
    """Record a step, once: a row of ops.erasures for each of `rows`, at least one."""
    heading = {"erasure": request.number, "subject": request.subject, "step": step}
    heading["at"] = datetime.now(UTC)
    schema = TABLES[ERASURES].schema
    told = [{**heading, **row} for row in rows] or [heading]
    values = [tuple(row.get(name) for name in schema.fieldNames()) for row in told]
    frame = lake.spark.createDataFrame(values, schema).coalesce(1)
    lake.append(ERASURES, frame, Transaction(step, request.number))


def recorded_steps(lake: Lake, request: Request) -> list[Any]:
    """The rows of ops.erasures of one erasure."""
    own = lake.read(ERASURES).where(F.col("erasure") == request.number)
    return own.orderBy("at", "generation", "table_name", "detail").collect()


def refuse_unfinished(lake: Lake, query: str) -> None:
    """DataError if an erasure was begun, and is not yet through the tables.

    Args:
        lake: any generation of it.
        query: what must wait, for the message.
    """
    begun, through = _last(lake, DECIDED), _last(lake, PURGED)
    if begun != through:
        raise DataError(
            f"{query}: erasure {begun} was killed before its end",
            "finish it: python -m jobs.erase --pending",
        )


def history_begins(lake: Lake) -> tuple[int, datetime] | None:
    """The first version of bronze.events that streams and builds may read, and since when.

    None if nothing was erased from it: history is whole.
    """
    if _last(lake, HISTORY) is None:
        return None
    marks = lake.read(ERASURES).where(F.col("table_name") == BRONZE)
    newest = marks.where(F.col("step") == HISTORY).orderBy("version", ascending=False).first()
    return None if newest is None else (newest.version, newest["at"].astimezone(UTC))


def last_offsets(lake: Lake) -> dict[tuple[str, int], int]:
    """The last offset of each topic and partition that bronze held when something was erased."""
    if _last(lake, DECIDED) is None:
        return {}
    places = lake.read(ERASURES).select(F.explode("landed").alias("place", "last"))
    last = places.groupBy("place").agg(F.max("last").alias("last")).collect()
    split = ((*row.place.rsplit("/", 1), row.last) for row in last)
    return {(topic, int(partition)): offset for topic, partition, offset in split}


def _last(lake: Lake, step: str) -> int | None:
    return lake.transaction(ERASURES, step)[1] if lake.has(ERASURES) else None
