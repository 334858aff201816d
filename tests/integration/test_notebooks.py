"""The notebooks: run over one small lake in which everything happened once."""

from __future__ import annotations

import ast
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from jobs.notebooks import main
from jobs.producers.exposures import SAME_FOR_ALL, same_for_all
from jobs.producers.faults import Faults
from jobs.producers.population import CHUNK, EXPERIMENTS, VARIANTS, Population
from jobs.producers.simulation import Clock, Simulation
from jobs.runtime.errors import DataError, SettingsError
from jobs.runtime.experiments.attribution import all_experiment_users
from jobs.runtime.experiments.results_refresh import refresh_results
from jobs.runtime.lake.delta_commits import Transaction
from jobs.runtime.lake.lake import Lake
from jobs.runtime.lake.tables import EXPERIMENT_USER
from jobs.runtime.notebooks import notebook, notebooks, write_notebook_page
from jobs.runtime.pipeline.judging import load_judge
from jobs.runtime.recommendations.challenger import train
from jobs.runtime.recommendations.model_registry import CHAMPION, open_model_registry
from jobs.runtime.recommendations.scoring import score
from jobs.runtime.recompute.comparison import compare_generations
from jobs.runtime.recompute.next_generation import next_generation
from jobs.runtime.settings import Settings, load_settings
from tests.oracles.pipeline import Raw
from tests.support.lakes import deliver, stream
from transforms.experiments.definitions import catalogue

EXPERIMENT = EXPERIMENTS[0]
FIRST = 1_793_000_000_000_000  # microseconds since 1970
STEP = 300_000_000  # five minutes: the events are of two weeks
UNTIL = FIRST + CHUNK * STEP
NOTEBOOKS = notebooks()
SMALL = {"list_length": 10, "new_titles": 5, "factors": 4}


def sent() -> list[Raw]:
    """What a small population did in two weeks, with repeats and clocks that are years ahead."""
    faults = Faults.parse("duplicates=0.05,far_future=0.02", seed=1)
    made = Simulation(Population(60, 40, 3), CHUNK, Clock(FIRST, STEP), faults).records(0)
    return [
        Raw(record.topic, 0, offset, record.key, record.value, FIRST + offset * STEP)
        for offset, record in enumerate(made)
    ]


@pytest.fixture(scope="module")
def configured(
    spark: SparkSession, empty_lake: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Streamed, trained, scored, an experiment decided, recomputed by other settings."""
    root = str(tmp_path_factory.mktemp("notebooks") / "lake")
    settings = load_settings(overrides=[f"lake.root={root}"], environment={})
    shutil.copytree(empty_lake, root)
    lake = Lake(spark, root)
    deliver(lake, [sent()])
    stream(lake, settings)

    at = datetime.fromtimestamp(UNTIL / 1e6, UTC)
    documents = same_for_all(at)
    arms = [{"name": variant, "weight": 0.5} for variant in VARIANTS]
    told = documents.pop(f"{SAME_FOR_ALL}.yaml")
    documents[f"{EXPERIMENT}.yaml"] = {**told, "id": EXPERIMENT, "variants": arms}
    definitions = catalogue(documents)
    lake.replace(EXPERIMENT_USER, all_experiment_users(lake, definitions), Transaction("test", 0))
    refresh_results(lake, definitions, at, [EXPERIMENT])

    recommend = settings.recommend.model_copy(update=SMALL)
    open_model_registry(recommend, root).point({CHAMPION: train(lake, recommend).version})
    score(lake, recommend)

    lenient = settings.refine.model_copy(update={"future_tolerance_s": 10**9})
    later = settings.model_copy(update={"refine": lenient})
    new = next_generation(lake, load_judge(later.refine), later)
    assert set(compare_generations(lake, new, later).causes) == {"quarantine_released"}
    return settings


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_no_outputs_are_committed(file: Path) -> None:
    cells = nbformat.read(file, as_version=nbformat.NO_CONVERT).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_what_a_notebook_imports_is_there(file: Path) -> None:
    cells = nbformat.read(file, as_version=nbformat.NO_CONVERT).cells
    for cell in cells:
        if cell.cell_type == "code":
            tree = ast.parse(cell.source)
            tree.body = [
                each for each in tree.body if isinstance(each, ast.Import | ast.ImportFrom)
            ]
            exec(compile(tree, str(file), "exec"), {})


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_from_top_to_bottom_into_a_page_that_loads_nothing(
    file: Path, configured: Settings, tmp_path: Path
) -> None:
    asked = {"experiment": EXPERIMENT, "looks": 2} if "experiment" in file.stem else {}
    text = write_notebook_page(file, tmp_path, configured, asked).read_text(encoding="utf-8")
    assert not re.search(r'<(script|link|img|iframe)[^>]+"https?:', text)
    body = re.sub(r"<(script|style|details).*?</\1>", "", text, flags=re.DOTALL)
    assert "What this came to" in body
    assert not re.search(r"\bnan\b|\bNone\b|Traceback", body)
    assert re.search(SAID[file.stem], body)


SAID = {
    "1-the-lake": "<strong>0 are missing</strong>",
    "2-experiment-readout": EXPERIMENT,
    "3-recommendations": r"([1-9]\d*) of \1 scores are exactly the sum",
    "4-replay-and-parity": "quarantine_released",
    "5-features": "features each, as of",
}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_on_an_empty_lake_a_notebook_says_what_to_run(
    file: Path, empty_lake: Path, tmp_path: Path
) -> None:
    empty = load_settings(overrides=[f"lake.root={empty_lake}"], environment={})
    said = (
        rf"^notebook {file.stem}: \S+ of the lake at .* has no rows .* -> run python -m jobs\.\w+"
    )
    with pytest.raises(DataError, match=said):
        write_notebook_page(file, tmp_path, empty, {})
    assert not list(tmp_path.iterdir()), "a page of a notebook that failed"


def test_what_a_notebook_does_not_have_is_one_line(tmp_path: Path) -> None:
    settings = load_settings(environment={})
    with pytest.raises(SettingsError, match=r"1-the-lake has no 'nobody' -> use one of: .*user"):
        write_notebook_page(notebook("1-the-lake"), tmp_path, settings, {"nobody": "ada"})
    shown = CliRunner().invoke(main, ["nothing"])
    assert shown.exit_code == SettingsError.exit_code
    assert "there is no notebook 'nothing'" in shown.output
