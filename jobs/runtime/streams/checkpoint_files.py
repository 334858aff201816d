"""Small files in a folder of the lake, on a local disk or on a Hadoop file system."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

from pyspark import SparkContext

UNFINISHED = ".unfinished"


class Folder(Protocol):
    """A folder of small files, whose names are relative to it."""

    def names(self, name: str) -> list[str]:
        """The names of the files and folders in a subfolder.

        Returns:
            Names without their path, in no order; empty if the subfolder does not exist.
        """

    def read(self, name: str) -> bytes | None:
        """Read a file.

        Returns:
            The content; None if the file does not exist.
        """

    def write(self, name: str, content: bytes) -> None:
        """Write a new file, which is complete or absent wherever the writer is killed."""

    def remove(self) -> None:
        """Delete the folder with everything in it."""


def folder_at(path: str) -> Folder:
    """Open the folder at a path or URI, which need not exist yet."""
    return StoreFolder(path) if "://" in path else DiskFolder(path)


class DiskFolder:
    """A folder on a local or mounted disk."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def names(self, name: str) -> list[str]:
        """See `Folder`."""
        return [file.name for file in (self._path / name).glob("*")]

    def read(self, name: str) -> bytes | None:
        """See `Folder`."""
        file = self._path / name
        return file.read_bytes() if file.exists() else None

    def write(self, name: str, content: bytes) -> None:
        """See `Folder`."""
        self._path.mkdir(parents=True, exist_ok=True)
        unfinished = self._path / f"{name}{UNFINISHED}"
        unfinished.write_bytes(content)
        unfinished.replace(self._path / name)

    def remove(self) -> None:
        """See `Folder`."""
        shutil.rmtree(self._path, ignore_errors=True)


class StoreFolder:
    """A folder of s3a://, abfss://, gs://, hdfs:// or file://, with Spark's own credentials."""

    def __init__(self, uri: str) -> None:
        context = SparkContext._active_spark_context
        assert context is not None
        assert context._jvm is not None
        self._hadoop = context._jvm.org.apache.hadoop
        self._uri = uri
        self._files = self._at("").getFileSystem(context._jsc.hadoopConfiguration())

    def names(self, name: str) -> list[str]:
        """See `Folder`."""
        folder = self._at(name)
        found = self._files.listStatus(folder) if self._files.exists(folder) else ()
        return [status.getPath().getName() for status in found]

    def read(self, name: str) -> bytes | None:
        """See `Folder`."""
        file = self._at(name)
        if not self._files.exists(file):
            return None
        stream = self._files.open(file)
        try:
            return bytes(stream.readAllBytes())
        finally:
            stream.close()

    def write(self, name: str, content: bytes) -> None:
        """See `Folder`."""
        unfinished = self._at(f"{name}{UNFINISHED}")
        stream = self._files.create(unfinished, True)
        stream.write(bytearray(content))
        stream.close()
        self._files.rename(unfinished, self._at(name))

    def remove(self) -> None:
        """See `Folder`."""
        self._files.delete(self._at(""), True)

    def _at(self, name: str) -> Any:
        """Hadoop's Path of a name in the folder, or of the folder for an empty name."""
        return self._hadoop.fs.Path(f"{self._uri}/{name}" if name else self._uri)
