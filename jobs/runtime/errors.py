"""Errors with a remedy, in one line: what is wrong, where, and what to do."""

from __future__ import annotations


class PlayheadError(Exception):
    """A fault with a known remedy, which jobs print as one line before they exit with `exit_code`.

    Args:
        problem: what is wrong, naming the file, key, table, topic or offset.
        remedy: what the reader should do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} -> {self.remedy}"

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows in place of a traceback."""
        return [f"error: {self}"]


class SettingsError(PlayheadError):
    """A value of conf/ or an override is wrong, and nothing was started."""

    exit_code = 2


class ServiceError(PlayheadError):
    """A dependency of playhead (Java, Kafka, a disk) is missing or refuses."""

    exit_code = 3


class DataError(PlayheadError):
    """The lake holds, or was about to hold, data that breaks a promise."""

    exit_code = 4


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or the name of its type if it has no text."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
