"""The certificate of an erasure: what was erased, and the file search that proves it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jobs.runtime.erasure.file_search import search_files
from jobs.runtime.errors import DataError
from jobs.runtime.kafka.topics import load_topics
from jobs.runtime.lake.erasure_log import DECIDED, PURGED, Request, recorded_steps
from jobs.runtime.lake.lake import Lake
from jobs.runtime.settings import Settings
from transforms.instants import instant_of

log = logging.getLogger(__name__)

TOLD = 5


def make_certificate(lake: Lake, settings: Settings, request: Request) -> dict[str, Any]:
    """Search every file below the lake's root but the broker's and the requests themselves.

    Args:
        lake: any generation of the lake, on a local disk.
        settings: settings, of which the duplicate horizon and the profile of topics count.
        request: the request to certify.

    Returns:
        The certificate as a JSON document, without the id: the rows erased from each table
        (`erased`), the version of each table that is now its oldest (`versions`), the files
        searched and where the id was found (`finds`), the files of streams' state, which no search
        can read and which hold event ids, until the duplicate horizon has passed; and until when
        Kafka keeps its own records. Instants are RFC 3339, UTC.
    """
    root = Path(lake.root)
    requests = list((root / "erasures").glob("*.request"))
    state = [path for path in (root / "checkpoints").rglob("state") if path.is_dir()]
    searched = search_files(root, request.user, without=[root / "broker", *requests, *state])
    rows = recorded_steps(lake, request)
    kept_days = max(topic.retention_days for topic in load_topics(settings.profile).values())
    now = datetime.now(UTC)
    return {
        "erasure": request.number,
        "subject": request.subject,
        "salt": request.salt,
        "asked_at": request.asked_at,
        "certified_at": now.isoformat(),
        "steps": {row.step: instant_of(row["at"]).isoformat() for row in rows},
        "erased": [_select_columns(row, "rows", "detail") for row in rows if row.step == DECIDED],
        "versions": [_select_columns(row, "version") for row in rows if row.step == PURGED],
        "searched": {"files": searched.files, "bytes": searched.size},
        "finds": [asdict(find) for find in searched.finds],
        "state": {
            "files": sum(path.is_file() for folder in state for path in folder.rglob("*")),
            "keeps_event_ids_until": _in(now, hours=settings.refine.duplicate_horizon_h),
        },
        "kafka_keeps_until": _in(now, days=kept_days),
    }


def refuse_finds(certificate: Mapping[str, Any], file: Path) -> None:
    """Log a certificate, and stop if the id was found.

    Args:
        certificate: the certificate.
        file: path of the certificate, for the message.

    Raises:
        DataError: files still hold the id.
    """
    for row in certificate["erased"]:
        if row["rows"]:
            log.info(
                "%9s %3s %s", f"{row['rows']:,}", row["generation"] or "-",
                row["detail"] or row["table"],
            )  # fmt: skip
    searched = certificate["searched"]
    log.info("%s files, %s bytes searched", f"{searched['files']:,}", f"{searched['bytes']:,}")
    log.info("Kafka keeps records until %s: erase again then", certificate["kafka_keeps_until"])
    if certificate["finds"]:
        places = ", ".join(f"{f['file']} ({f['where']})" for f in certificate["finds"][:TOLD])
        raise DataError(
            f"{len(certificate['finds'])} files still hold the id: {places}",
            f"see {file}; delete what is not playhead's, then python -m jobs.erase --pending",
        )


def _in(now: datetime, **span: float) -> str:
    """An instant after a span of time, as RFC 3339."""
    return (now + timedelta(**span)).isoformat()


def _select_columns(row: Any, *columns: str) -> dict[str, Any]:
    """Generation and table of a row of ops.erasures, with some of its columns."""
    told = {"generation": row.generation, "table": row.table_name}
    return told | {name: row[name] for name in columns}
