"""The tables of recommendations: columns, name to SQL type."""

from __future__ import annotations

from collections.abc import Mapping

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

METADATA_COLUMNS = {
    "title_id": "STRING",
    "name": "STRING",
    "genres": "ARRAY<STRING>",
    "content_type": "STRING",
}

USER_COLUMNS = {
    "user_id": "STRING",
    "region": "STRING",
    "titles": "ARRAY<STRING>",
    "weights": "ARRAY<BIGINT>",
    "liked": "ARRAY<BOOLEAN>",
    "begun": "ARRAY<BOOLEAN>",
    "last_s": "ARRAY<BIGINT>",
    "sitting": "ARRAY<BIGINT>",
}
"""A user to make lists for: region of the last playback, and of each title met its weight in the
history, whether it was liked, whether it was begun and never completed, the last time, and its
weight as one of the titles met last."""

SCORED_COLUMNS = {
    "user_id": "STRING",
    "region": "STRING",
    "context_type": "STRING",
    "rank": "INT",
    "title_id": "STRING",
    "units": "BIGINT",
    "kind": "STRING",
    "because": "ARRAY<STRING>",
    "because_units": "ARRAY<BIGINT>",
    "because_shares": "ARRAY<DOUBLE>",
    "others": "BIGINT",
    "popularity": "BIGINT",
    "resume": "BIGINT",
}
"""A listed title with the parts of its score, before its reason is put in words."""

BLOCK_COLUMNS = {"block": "INT", "sums": "BINARY"}
"""A block of rows of a Gram matrix; see `gram_blocks`."""


def ddl_of(columns: Mapping[str, str]) -> str:
    """The schema of columns, as SQL declares it."""
    return ", ".join(f"{name} {ddl}" for name, ddl in columns.items())
