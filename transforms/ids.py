"""Ids of users, sessions, commands and experiments: the characters and length that they may have.

The contracts in conf/schemas say the same of the ids in events.
"""

from __future__ import annotations

import re

ID_CHARACTERS = "A-Za-z0-9_.:-"  # inside the brackets of a regular expression
LONGEST_ID = 128
ID = f"^[{ID_CHARACTERS}]{{1,{LONGEST_ID}}}$"


def is_id(text: str) -> bool:
    """Whether a text is an id."""
    return re.fullmatch(ID, text) is not None
