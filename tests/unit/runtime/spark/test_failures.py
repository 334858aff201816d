"""A fault is named by its own words, never by another service's."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.runtime.errors import DataError, PlayheadError, ServiceError
from jobs.runtime.spark import failures
from jobs.runtime.spark.failures import explain, known_failure


class JvmError(Exception):
    """As Spark raises them: a short text, the causes in `_stackTrace`."""

    def __init__(self, text: str, causes: str) -> None:
        super().__init__(text)
        self._stackTrace = causes


@pytest.mark.parametrize(
    ("causes", "kind", "says"),
    [
        ("java.io.IOException: No space left on device", ServiceError, "disk is full"),
        ("FileNotFoundException: /lake/x (Permission denied)", ServiceError, "cannot be written"),
        ("java.nio.file.AccessDeniedException: /lake/x", ServiceError, "cannot be written"),
        ("FileSystemException: /file/lake: Not a directory", ServiceError, "cannot be written"),
        ("[KAFKA_DATA_LOSS.START_OFFSET_RESET] ...", DataError, "no longer holds"),
        ("UnknownTopicOrPartitionException: no such", ServiceError, "topic is missing"),
        (
            "java.util.concurrent.ExecutionException: "
            "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node",
            ServiceError,
            "Kafka does not answer",
        ),
    ],
)
def test_a_known_fault_is_found_in_the_causes(
    causes: str, kind: type[PlayheadError], says: str
) -> None:
    fault = known_failure(JvmError("Job aborted.", causes), "ingest: ")
    assert isinstance(fault, kind)
    assert str(fault).startswith("ingest: ")
    assert says in str(fault)


@pytest.mark.parametrize(
    "causes",
    [
        "java.util.concurrent.TimeoutException: Futures timed out after [300 seconds]",
        "at org.example.DataLossless.run: no data loss here",
        "org.apache.kafka.common.errors.RecordTooLargeException: too large",
    ],
)
def test_what_only_resembles_a_known_fault_is_not_blamed_on_it(causes: str) -> None:
    assert known_failure(JvmError("Job aborted.", causes)) is None


@pytest.mark.parametrize("written", [True, False])
def test_an_unknown_fault_names_a_log_that_exists_or_none(
    written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "spark.log"
    if written:
        log.touch()
    monkeypatch.setattr(failures, "spark_log", lambda: log)
    error = explain(JvmError("first line\nsecond line", ""), "refine")
    assert "refine: first line" in str(error)
    assert "second line" not in str(error)
    assert (str(log) if written else "the log of the Spark driver") in str(error)
