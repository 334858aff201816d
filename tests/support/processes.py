"""Jobs as processes of their own, their log lines counted by pattern."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections import deque
from contextlib import suppress

LONGEST_S = 600.0  # that a line is waited for
LAST_LINES = 20


class Process:
    """A job in a process group of its own, its log lines counted by pattern.

    Args:
        command: what to run.
        pattern: of the lines that count.
        environment: variables besides those of this process.

    Attributes:
        found: the lines that count, as they matched.
        ended: has it ended?
    """

    def __init__(self, command: list[str], pattern: re.Pattern[str], **environment: str) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # a guard ends what it guards when this closes
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, **environment},
        )
        self._pattern = pattern
        self._told = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self.found: list[re.Match[str]] = []
        self.ended = False
        self._reader.start()

    @property
    def lines(self) -> int:
        """How many lines have counted so far."""
        return len(self.found)

    @property
    def last_lines(self) -> str:
        """What it said last."""
        return "".join(self._last)

    def await_line(self, after: int, within_s: float = LONGEST_S) -> None:
        """Return when more than `after` lines have been counted, or the process has ended.

        Raises:
            AssertionError: neither came in time; says what the process said last.
        """
        came = self.comes(after, within_s)
        assert came, f"no line like {self._pattern.pattern} in {within_s:g} s:\n{self.last_lines}"

    def comes(self, after: int, within_s: float) -> bool:
        """Wait until more than `after` lines have been counted, or the process has ended.

        Returns:
            Whether either came in time.
        """
        with self._told:
            return self._told.wait_for(lambda: self.ended or self.lines > after, within_s)

    def exit_code(self, within_s: float = LONGEST_S) -> int:
        """Wait until it has ended, with all that writes to its log.

        Raises:
            AssertionError: it has not in time; says what the process said last.
        """
        self._reader.join(within_s)
        assert not self._reader.is_alive(), f"still runs after {within_s:g} s:\n{self.last_lines}"
        code = self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        return code

    def kill(self) -> None:
        """End it and all its children, now."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.exit_code()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._told:
                self._last.append(line)
                match = self._pattern.search(line)
                self.found += [match] if match else []
                self._told.notify_all()
        with self._told:
            self.ended = True
            self._told.notify_all()
