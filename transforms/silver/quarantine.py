"""silver.quarantine: records that are not valid events, with their bytes and the reason."""

from __future__ import annotations

from pyspark.sql import DataFrame

COLUMNS = {
    "event_id": "STRING",
    "reason": "STRING",
    "path": "STRING",
    "rule": "STRING",
    "event_type": "STRING",
    "contract_version": "STRING",
    "topic": "STRING",
    "partition": "INT",
    "offset": "BIGINT",
    "key": "BINARY",
    "value": "BINARY",
    "kafka_timestamp": "TIMESTAMP",
    "ingest_time": "TIMESTAMP",
    "judged_by": "STRING",
}


def quarantine_rows(judged: DataFrame) -> DataFrame:
    """The records that `judge` rejected, as rows of silver.quarantine.

    Args:
        judged: rows of `judge`.

    Returns:
        COLUMNS; event_id is `rejected/` and the hexadecimal SHA-256 of the value's bytes.
    """
    return judged.where("reason IS NOT NULL").select(*COLUMNS)
