"""Run a command that must not outlive its parent: `python guard.py LOCK COMMAND...`.

The parent holds the other end of standard input. When that end closes, however the parent
died, the command is killed; SIGTERM asks the command to stop by itself. A signal from the
terminal does not come here, the guard is started in a session of its own.

The file LOCK is held while the command runs: whoever comes next waits until a command whose
parent was killed has really ended.
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
    """Run `command` until it ends, or until standard input does; its exit code."""
    with Path(lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        Thread(target=_kill_at_end_of_input, args=(child,), daemon=True).start()
        return child.wait()


def _kill_at_end_of_input(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    child.kill()


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1], sys.argv[2:]))
