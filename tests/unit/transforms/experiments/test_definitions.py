"""TODO."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jobs.runtime.conf_files import CONF_DIR, read_yaml
from tests.support.experiment_documents import changed, documents
from transforms.experiments.changes import refuse_moves
from transforms.experiments.definitions import catalogue
from transforms.experiments.metrics import OUTCOME_EVENTS
from transforms.experiments.validation import DefinitionError
from transforms.silver.families import engagement, playback, ratings

RUNNING = datetime(2026, 1, 10, tzinfo=UTC)


RATED = {"kind": "proportion", "outcome": {"event": "UserRatingSubmitted"}}


UNEVEN = [{"name": "control", "weight": 0.4}, {"name": "new", "weight": 0.6}]


METRIC = "metrics.yaml:metrics/plays/"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("rows.yaml:variants/1/weight", 0.4, "rows.yaml: variants: the weights sum to 0.9, not 1"),
        (
            "rows.yaml:variants/1/weight",
            "half",
            "rows.yaml: variants.1.weight: Input should be a valid decimal",
        ),
        (
            "rows.yaml:variants/1/name",
            "control",
            "rows.yaml: variants: variant 'control' is there twice",
        ),
        (
            "rows.yaml:end",
            "2026-01-05T00:00:00Z",
            "rows.yaml: it ends at 2026-01-05T00:00:00Z, not after its start 2026-01-05",
        ),
        ("rows.yaml:end", "2026-02-02T00:00:00", "rows.yaml: end: Input should have timezone info"),
        ("rows.yaml:start", None, "rows.yaml: start: Field required"),
        ("rows.yaml:trafic", 1, "rows.yaml: trafic: Extra inputs are not permitted (found 1)"),
        ("rows.yaml:traffic/1/share", 0.05, "rows.yaml: traffic: each step must be later"),
        (
            "rows.yaml:traffic/1/share",
            0.12345,
            "rows.yaml: traffic.1.share: Decimal input should have no more than 4",
        ),
        ("rows.yaml:buckets", [5, 5], "rows.yaml: buckets: the first bucket must be before"),
        ("rows.yaml:goals", ["play"], "experiment rows: unknown metric 'play'; known: plays"),
        ("rows.yaml:goals", ["back"], "rows.yaml: metric 'back' is there twice"),
        ("rows.yaml:layer", "player", "experiment rows: unknown layer 'player'; known: home"),
        ("rows.yaml:id", "cols", "rows.yaml: the id is 'cols'; name the file after it"),
        (
            "rows.yaml:plan",
            {"alpha": 5},
            "rows.yaml: plan.alpha: Input should be less than 0.5 (found 5)",
        ),
        (
            "layers.yaml:holdouts/none/layers",
            ["home", "search"],
            "holdout none: unknown layer 'search'; known: home",
        ),
        ("layers.yaml:", None, "layers.yaml is missing"),
        (
            METRIC + "outcome/field",
            "watch",
            "metrics.yaml: metrics.plays.mean.outcome: unknown field of VideoPlaybackStarted",
        ),
        (
            METRIC + "outcome/where",
            {"colour": ["red"]},
            "metrics.yaml: metrics.plays.mean.outcome: unknown column of VideoPlaybackStart",
        ),
        (
            METRIC + "kind",
            "median",
            "metrics.yaml: metrics.plays: Input tag 'median' found using 'kind'",
        ),
    ],
)
def test_a_fault_is_one_line_that_says_where_and_what_is_allowed(path, value, message):
    with pytest.raises(DefinitionError) as fault:
        catalogue(changed(path, value))

    assert str(fault.value).startswith(message)
    assert "\n" not in str(fault.value)


def test_an_experiment_without_a_definition_is_named_with_its_neighbours():
    with pytest.raises(DefinitionError, match="unknown experiment 'row'; known: rows"):
        catalogue(documents()).experiment("row")


def other(name: str = "cols", **differs: Any) -> dict[str, Any]:
    tree = documents()
    return {**tree, f"{name}.yaml": {**tree["rows.yaml"], "id": name, **differs}}


def test_experiments_of_a_layer_may_not_own_the_same_buckets_at_the_same_time():
    with pytest.raises(DefinitionError, match="cols and rows own the same buckets of layer home"):
        catalogue(other(buckets=[4999, 6000]))


@pytest.mark.parametrize("name", ["cols", "tiles"])
@pytest.mark.parametrize(
    "differs",
    [
        {"buckets": [5000, 10_000]},
        {"start": "2026-02-02T00:00:00Z", "end": "2026-03-01T00:00:00Z"},
        {"start": "2026-01-01T00:00:00Z", "end": "2026-01-05T00:00:00Z"},
    ],
)
def test_neighbours_in_buckets_or_in_time_are_apart(name, differs):
    assert set(catalogue(other(name, **differs)).experiments) == {name, "rows"}


def test_outcomes_are_integer_and_text_columns_of_silver():
    columns = {
        event: family.columns
        for family in (playback.FAMILY, engagement.FAMILY, ratings.FAMILY)
        for event in family.rows
    }

    for event, outcome in OUTCOME_EVENTS.items():
        assert {columns[event][measure] for measure in outcome.measures} == {"BIGINT"}
        assert {columns[event][column] for column in outcome.filters} == {"STRING"}


class TestDefinitionHash:
    def hash(self, tree: dict[str, Any]) -> str:
        return catalogue(tree).definition_hash("rows")

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("rows.yaml:description", "Rows, sorted"),
            ("rows.yaml:salt", "rows"),
            ("rows.yaml:guardrails/0", {"margin": 0.02, "metric": "back"}),
            ("rows.yaml:start", "2026-01-05T01:00:00+01:00"),
            ("rows.yaml:variants/0/weight", "0.50"),
            (METRIC + "window_h", 168),
            ("metrics.yaml:metrics/unused", RATED),
        ],
    )
    def test_another_way_to_write_the_same_has_the_same_hash(self, path, value):
        assert self.hash(changed(path, value)) == self.hash(documents())

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("rows.yaml:salt", "rows2"),
            ("rows.yaml:plan", {"alpha": 0.01}),
            (METRIC + "window_h", 24),
            (METRIC + "better", "lower"),
        ],
    )
    def test_another_meaning_has_another_hash(self, path, value):
        assert self.hash(changed(path, value)) != self.hash(documents())


class TestChanges:
    def refuse(self, path: str, value: Any, at: datetime = RUNNING) -> None:
        refuse_moves(catalogue(documents()), catalogue(changed(path, value)), at)

    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            ("rows.yaml:salt", "again", "its salt must stay"),
            ("rows.yaml:variants", UNEVEN, "its variants must stay"),
            ("rows.yaml:population", {"region": ["de"]}, "its population must stay"),
            ("rows.yaml:buckets", [100, 5000], r"it must keep its buckets \(0, 5000\)"),
            ("rows.yaml:buckets", [0, 4999], r"it must keep its buckets \(0, 5000\)"),
            ("rows.yaml:traffic/1/share", 0.4, "its traffic must not fall below 0.5"),
            ("rows.yaml:", None, "set its end instead of removing it"),
            ("layers.yaml:layers/home/salt", "h2", "its layer home and holdouts must stay"),
            ("layers.yaml:holdouts/none/share", 0.2, "its layer home and holdouts must stay"),
        ],
    )
    def test_what_would_move_a_user_is_refused_while_it_runs(self, path, value, message):
        with pytest.raises(DefinitionError, match=f"^rows is running: {message}$"):
            self.refuse(path, value)

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("rows.yaml:buckets", [0, 8000]),
            ("rows.yaml:traffic/1/share", 1),
            ("rows.yaml:end", "2026-03-01T00:00:00Z"),
            ("rows.yaml:plan", {"alpha": 0.01}),
        ],
    )
    def test_what_moves_nobody_is_allowed(self, path, value):
        self.refuse(path, value)

    @pytest.mark.parametrize(
        "at", [datetime(2026, 1, 4, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)]
    )
    def test_before_its_start_and_after_its_end_everything_may_change(self, at):
        self.refuse("rows.yaml:salt", "again", at)


def test_the_definitions_in_conf_are_valid():
    files = sorted((CONF_DIR / "experiments").glob("*.yaml"))

    assert catalogue({file.name: read_yaml(file) for file in files}).experiments
