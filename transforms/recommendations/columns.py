"""The tables of recommendations: columns, name to SQL type."""

from __future__ import annotations

HISTORY_COLUMNS = {
    "user_id": "STRING",
    "titles": "ARRAY<STRING>",
    "preferences": "ARRAY<BIGINT>",
}

LIST_COLUMNS = {
    "user_id": "STRING",
    "context_type": "STRING",
    "rank": "INT",
    "title_id": "STRING",
    "score": "DOUBLE",
    "units": "BIGINT",
    "reason": "STRING",
    "contributions": (
        "STRUCT<because: ARRAY<STRUCT<title_id: STRING, units: BIGINT, share: DOUBLE>>, "
        "others: BIGINT, popularity: BIGINT, resume: BIGINT>"
    ),
    "metadata": "STRUCT<name: STRING, genres: ARRAY<STRING>, content_type: STRING>",
}

BLOCK_COLUMNS = {"block": "INT", "sums": "BINARY"}
"""A block of rows of a Gram matrix; see `statistic`."""
