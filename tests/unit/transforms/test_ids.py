"""Ids are what the contracts say they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.runtime.conf_files import CONF_DIR
from transforms.ids import ID_CHARACTERS, LONGEST_ID, is_id

CONTRACTS = sorted((CONF_DIR / "schemas").glob("*/*.json"))


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_contract_allows_the_ids_that_the_code_allows(file: Path) -> None:
    declared = json.loads(file.read_text())["$defs"]["id"]
    length = declared["minLength"], declared["maxLength"]
    assert (declared["pattern"], *length) == (rf"^[{ID_CHARACTERS}]+(?![\s\S])", 1, LONGEST_ID)


@pytest.mark.parametrize("text", ["", "a b", "a\n", "é", "x" * (LONGEST_ID + 1)])
def test_what_is_no_id(text: str) -> None:
    assert not is_id(text)
    assert is_id("x" * LONGEST_ID)
