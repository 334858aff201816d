"""Run a command that must not outlive its parent: `python broker_guard.py LOCK COMMAND...`.

The parent holds the other end of standard input. When that end closes, however the parent
died, the command is killed; SIGTERM asks the command to stop by itself. The guard is started in a
session of its own, so signals from the terminal do not reach it.

The file LOCK is locked while the command runs: a later guard waits until a command whose parent
was killed has really ended.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread


def guard(lock: str, command: list[str]) -> int:
    """Run a command until it ends, or until standard input does.

    Args:
        lock: path of the file to lock meanwhile.
        command: words of the command line.

    Returns:
        The exit code of the command.
    """
    with Path(lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        Thread(target=_kill_at_end_of_input, args=(child,), daemon=True).start()
        return child.wait()


def _kill_at_end_of_input(child: subprocess.Popen[bytes]) -> None:
    """Kill a process when standard input ends."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    child.kill()


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1], sys.argv[2:]))
