"""Make an environment and install packages into it: with uv, which is faster, or else with pip.

    python3 install.py ENVIRONMENT OPTIONS_OF_PIP_INSTALL...

make runs it before anything is installed, so it needs nothing but Python.
"""

from __future__ import annotations

import ast
import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
# uv reads no settings of pip: those that say where packages come from are handed on
AS_UV_READS = {
    "index-url": "UV_DEFAULT_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
# means something else to uv, or nothing
FOR_PIP_ALONE = {
    *("client-cert", "constraint", "extra-index-url", "no-binary", "no-index", "only-binary"),
    *("require-hashes", "requirement", "trusted-host"),
}


def main(environment: Path, wanted: Sequence[str]) -> int:
    """Install into an environment, made first if need be, and leave the file `installed` in it.

    One process at a time: who waited for another that did it is done.

    Args:
        environment: folder of the environment.
        wanted: options of pip install, and packages.

    Returns:
        The exit code.
    """
    begun = time.time()
    environment.parent.mkdir(parents=True, exist_ok=True)
    with environment.with_name(f"{environment.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = environment / "installed"
        if done.exists() and done.stat().st_mtime >= begun:
            return 0
        python = make_environment(environment)
        installed = install(python, wanted)
        _unfinished(environment).unlink()
        if installed:
            done.touch()
            sys.stdout.write(f"{environment}: installed in {time.time() - begun:.0f} s\n")
    return 0 if installed else 1


def make_environment(environment: Path) -> Path:
    """Make an environment unless it is there; one in which an installation was killed begins anew.

    Returns:
        Its Python.
    """
    unfinished = _unfinished(environment)
    clear = ["--clear"] if unfinished.exists() else []
    subprocess.run([sys.executable, "-m", "venv", *clear, str(environment)], check=True)
    unfinished.touch()
    return environment / "bin" / "python"


def _unfinished(environment: Path) -> Path:
    """The file that an environment holds while packages are installed into it."""
    return environment / "unfinished"


def install(python: Path, wanted: Sequence[str]) -> bool:
    """Install packages with uv, or else with pip.

    Args:
        python: Python of the environment.
        wanted: options of pip install, and packages.

    Returns:
        True if they are installed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # pyspark comes as source, with 450 MB of jars: compressing its wheel takes longer than all
        # that is built besides, and it is unpacked at once
        config = Path(scratch, "setup.cfg")
        config.write_text("[bdist_wheel]\ncompression = stored\n", encoding="utf-8")
        environ = {"DIST_EXTRA_CONFIG": str(config), **os.environ}
        reason = install_with_uv(python, wanted, environ)
        if reason:
            sys.stderr.write(f"{reason} -> installing with pip, which takes longer\n")
            return subprocess.run(pip(python, "install", *wanted), env=environ).returncode == 0
        return True


def install_with_uv(python: Path, wanted: Sequence[str], environ: Mapping[str, str]) -> str:
    """Install packages with uv, which is installed first.

    Args:
        python: Python of the environment.
        wanted: options of pip install, and packages.
        environ: environment variables.

    Returns:
        Why uv could not, empty if it did.
    """
    settings = pip_settings(python)
    alone = sorted(FOR_PIP_ALONE & settings.keys())
    if alone:
        return f"uv does not follow pip's setting {alone[0]}"
    fetch = pip(python, "install", "--quiet", "-c", str(CONSTRAINTS), "uv")
    fetched = subprocess.run(fetch, capture_output=True, text=True)
    if fetched.returncode:
        errors = (line for line in fetched.stderr.splitlines() if line.startswith("ERROR: "))
        reason = next(errors, "pip gave no reason")
        return f"uv cannot be fetched: {reason.removeprefix('ERROR: ')}"
    command = [str(python), "-m", "uv", "pip", "install", "--python", str(python)]
    environ = {"UV_HTTP_TIMEOUT": "180", **uv_environ(settings), **environ}
    done = subprocess.run([*command, "--compile-bytecode", *wanted], env=environ)
    return "uv could not install the packages" if done.returncode else ""


def pip_settings(python: Path) -> Mapping[str, str]:
    """The settings of pip's files and environment variables, by name."""
    shown = subprocess.run(pip(python, "config", "list"), capture_output=True, text=True).stdout
    lines = (line.partition("=") for line in shown.splitlines() if "=" in line)
    # the name follows the section: global.index-url, :env:.index-url
    return {key.rpartition(".")[2]: str(ast.literal_eval(value)) for key, _, value in lines}


def uv_environ(settings: Mapping[str, str]) -> Mapping[str, str]:
    """The environment variables by which uv takes packages from where pip's settings say."""
    return {
        variable: ",".join(settings[name].split())
        for name, variable in AS_UV_READS.items()
        if name in settings
    }


def pip(python: Path, *words: str) -> list[str]:
    """The command line that runs a command of pip."""
    return [str(python), "-m", "pip", "--disable-pip-version-check", *words]


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {error}")
