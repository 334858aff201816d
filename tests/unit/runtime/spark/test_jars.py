"""Jars are fetched several at once, whole or not at all, and listed as Ivy resolves them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from jobs.runtime.errors import ServiceError
from jobs.runtime.spark import ivy, jars
from jobs.runtime.spark.java import java_binary

# what it prints and leaves is what Ivy 2.5.3 did, run by hand
IVY = r"""
import os, pathlib, re, sys
if "-version" in sys.argv:
    sys.exit(print('openjdk version "17.0.1"', file=sys.stderr))
option = dict(zip(sys.argv[1:], sys.argv[2:]))
open(os.environ["IVY_CALLS"], "a").write("-settings\n" if "-settings" in option else "\n")
module = pathlib.Path(option["-ivy"]).read_text()
pattern = r'org="(\S+)" name="(\S+)" rev="(\S+)" transitive="(\S+)"'
wanted = [found[:3] for found in re.findall(pattern, module)]
if 'transitive="true"' in module:
    wanted += [("org.example", "needed", "1.0"), ("org.example", "only-a-parent", "1")]
for organisation, name, revision in wanted:
    print(f"\tfound {organisation}#{name};{revision} in jars")
lacking = {name for _, name, _ in wanted} & set(os.environ["IVY_LACKS"].split())
for organisation, name, revision in wanted:
    if name in lacking:
        print(f"\t\t:: {organisation}#{name};{revision}!{name}.jar: not found")
    elif name != "only-a-parent":
        jar = pathlib.Path(option["-retrieve"]).with_name(f"{name}-{revision}.jar")
        jar.parent.mkdir(parents=True, exist_ok=True)
        jar.touch()
        print(f"\t[SUCCESSFUL ] {organisation}#{name};{revision}!{name}.jar (9ms)")
sys.exit(bool(lacking))
"""


@pytest.fixture(autouse=True)
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Java that does what Ivy does, without a repository; and an empty cache."""
    binary = tmp_path / "java" / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!{sys.executable}\n{IVY}")
    binary.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    monkeypatch.setenv("PLAYHEAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IVY_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("IVY_LACKS", "")
    java_binary.cache_clear()
    yield
    java_binary.cache_clear()


def names(bundle: jars.Bundle) -> list[str]:
    return sorted(map(ivy.jar_name, bundle.jars))


def test_all_jars_are_fetched_by_several_ivys_and_once(tmp_path: Path) -> None:
    for _ in range(2):
        assert [jar.name for jar in jars.resolve(jars.BROKER)] == names(jars.BROKER)
    assert (tmp_path / "calls").read_text().splitlines() == ["-settings"] * ivy.AT_ONCE
    assert [each.name for each in (tmp_path / "cache" / "jars").glob("fetching-*")] == []


def test_a_jar_that_is_missing_leaves_no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVY_LACKS", "shims")
    with pytest.raises(
        ServiceError, match=r"spark jars could not be fetched: .*shims.* -> connect"
    ):
        jars.resolve(jars.SPARK)
    assert not jars.SPARK.folder.exists()
    monkeypatch.setenv("IVY_LACKS", "")
    assert len(jars.resolve(jars.SPARK)) == len(jars.SPARK.jars)


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "cache" / "jars" / "fetching-killed"
    left.mkdir(parents=True)
    jars.resolve(jars.SPARK)
    assert not left.exists()


def test_the_list_holds_what_has_a_jar_and_is_not_shipped_by_pyspark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyspark" / "jars").mkdir(parents=True)
    for jar in ("ivy-2.5.3.jar", "needed-0.9.jar"):
        (tmp_path / "pyspark" / "jars" / jar).touch()
    monkeypatch.setattr(pyspark, "__path__", [str(tmp_path / "pyspark")])
    monkeypatch.setattr(jars, "__file__", str(tmp_path / "jars.py"))
    jars.list_jars()
    lines = (tmp_path / "jars.txt").read_text().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("spark ")] == sorted(
        jars.SPARK.coordinates
    )
    assert "broker org.example:needed:1.0" in lines
    assert not any("only-a-parent" in line for line in lines)
    assert (tmp_path / "calls").read_text().splitlines() == ["", ""]


@pytest.mark.parametrize("bundle", [jars.SPARK, jars.BROKER])
def test_the_list_is_that_of_the_versions_asked_for(bundle: jars.Bundle) -> None:
    """If this fails: python -m jobs.setup --resolve-jars."""
    assert set(bundle.coordinates) <= set(bundle.jars)
    artifacts = [coordinate.rpartition(":")[0] for coordinate in bundle.jars]
    assert len(artifacts) == len(set(artifacts))
    assert len(set(names(bundle))) == len(bundle.jars)


def test_no_listed_jar_is_one_that_pyspark_ships() -> None:
    shipped = {jar.name for jar in (Path(pyspark.__path__[0]) / "jars").glob("*.jar")}
    assert shipped.isdisjoint(names(jars.SPARK))
