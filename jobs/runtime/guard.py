"""Run a command that must not outlive its parent: `python guard.py COMMAND...`.

The parent holds the other end of standard input. When that end closes, however the parent
died, the command is killed; SIGTERM asks the command to stop by itself. A signal from the
terminal does not come here, the guard is started in a session of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from threading import Thread


def guard(command: list[str]) -> int:
    """Run `command` until it ends, or until standard input does; its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    Thread(target=_kill_at_end_of_input, args=(child,), daemon=True).start()
    return child.wait()


def _kill_at_end_of_input(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    child.kill()


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
