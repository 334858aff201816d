"""The contracts of conf/schemas: check, compare, show, publish; validate events against them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from jobs.runtime.cli import friendly_errors
from jobs.runtime.contracts.catalogue_page import write_catalogue
from jobs.runtime.contracts.publication import LOCK, load_lock, refusals
from jobs.runtime.contracts.registry import SCHEMAS, load_registry, read_json
from jobs.runtime.errors import PlayheadError, SettingsError
from jobs.runtime.kafka.contract_topics import Mismatch, folder_mismatches
from transforms.contracts.compatibility.comparison import Comparison, Mode, accepts
from transforms.contracts.compatibility.documents import SchemaDocumentError
from transforms.contracts.compatibility.levels import Level
from transforms.contracts.compatibility.outcomes import Verdict
from transforms.contracts.contract import Contract, ContractError
from transforms.contracts.description import field_rows
from transforms.contracts.example import example
from transforms.contracts.publication import Refusal, drafts, fingerprint, lock_name
from transforms.contracts.registry import Registry
from transforms.contracts.validation import read_event, validate

MODES = click.Choice([mode.value for mode in Mode], case_sensitive=False)


LEVELS = click.Choice([level.value for level in Level], case_sensitive=False)


folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=SCHEMAS,
    help="Contracts other than those of conf/schemas.",
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"max_content_width": 100})
def main() -> None:
    """Check, compare, show and publish the contracts of events."""


@main.command()
@click.option("--mode", type=MODES, default=Mode.TOLERANT.value, show_default=True)
@click.option("--level", type=LEVELS, default=Level.FULL_TRANSITIVE.value, show_default=True)
@folder_option
@json_option
def check(mode: str, level: str, folder: Path, as_json: bool) -> None:
    """Refuse what breaks readers: minor versions, changed files, majors without upcaster.

    Also refuse topics.yaml beside the contracts if it does not match their topics.
    """
    with friendly_errors():
        found = refusals(folder, Level(level), Mode(mode))
        misplaced = folder_mismatches(folder)
        if as_json:
            told = [*map(asdict, found), *map(asdict, misplaced)]
            click.echo(json.dumps(told, indent=2, default=str))
        else:
            _print_refusals(folder, found, misplaced)
        if found or misplaced:
            sys.exit(PlayheadError.exit_code)


@main.command()
@folder_option
def lock(folder: Path) -> None:
    """Publish the new contracts: from now on they may not change."""
    with friendly_errors():
        found, misplaced = refusals(folder), folder_mismatches(folder)
        if found or misplaced:
            _print_refusals(folder, found, misplaced)
            raise SettingsError("nothing was locked", "mend what is named above")
        registry, locked = load_registry(folder), load_lock(folder)
        new = drafts(registry, locked)
        locked |= {lock_name(contract): fingerprint(contract.schema) for contract in new}
        text = json.dumps(dict(sorted(locked.items())), indent=2)
        (folder / LOCK).write_text(f"{text}\n", encoding="utf-8")
        click.echo(f"locked {len(new)} new contracts, {len(locked)} in all")


@main.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--mode", type=MODES, default=Mode.STRICT.value, show_default=True)
@click.option("--level", type=LEVELS, default=Level.BACKWARD.value, show_default=True)
@json_option
def compare(old: Path, new: Path, mode: str, level: str, as_json: bool) -> None:
    """Compare any two JSON Schema files; exit 1 unless NEW is compatible with OLD."""
    with friendly_errors():
        found = _compare_files(old, new, Mode(mode), Level(level))
        worst = _worst(found.values())
        if as_json:
            told = {name: _comparison_document(comparison) for name, comparison in found.items()}
            said = {"verdict": worst, "mode": mode, "level": level, "directions": told}
            click.echo(json.dumps(said, indent=2))
        else:
            for name, comparison in found.items():
                click.echo(f"{name}: {comparison.verdict}")
                for finding in comparison.findings:
                    where = f"{finding.path} {finding.keyword}"
                    click.echo(f"  {finding.verdict} at {where}: {finding.reason}")
        if worst is not Verdict.COMPATIBLE:
            sys.exit(PlayheadError.exit_code)


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default="build/contracts.html", show_default=True
)
@folder_option
def docs(out: Path, folder: Path) -> None:
    """Write the catalogue of events: one self-contained page."""
    with friendly_errors():
        out.parent.mkdir(parents=True, exist_ok=True)
        write_catalogue(load_registry(folder), out)
        click.echo(f"wrote {out}")


@main.command()
@click.argument("name", metavar="TYPE[/VERSION]")
@folder_option
def show(name: str, folder: Path) -> None:
    """Print a contract's fields, with type, unit, bounds and meaning."""
    with friendly_errors():
        contract = _find(load_registry(folder), name)
        click.echo(f"{contract.name}: {contract.schema.get('description', '')}")
        click.echo(f"topics {', '.join(contract.topics)}; key {contract.key}")
        click.echo(f"silver.{contract.family}\n")
        for row in field_rows(contract):
            click.echo(f"{row.path:<38}{row.kind:<24}{row.limits}".rstrip())
            click.echo(f"    {row.description}")


@main.command("example")
@click.argument("name", metavar="TYPE[/VERSION]")
@folder_option
def show_example(name: str, folder: Path) -> None:
    """Print an example event of a contract."""
    with friendly_errors():
        event = example(_find(load_registry(folder), name))
        click.echo(json.dumps(event, indent=2, ensure_ascii=False))


@main.command("validate")
@click.argument("file", type=click.Path(path_type=Path))
@folder_option
def validate_file(file: Path, folder: Path) -> None:
    """Validate each line of FILE.jsonl, one event, against the contract it names."""
    with friendly_errors():
        registry = load_registry(folder)
        bad = 0
        for number, line in enumerate(_read_lines(file), start=1):
            found = _line_violations(line, registry)
            bad += bool(found)
            for place in found:
                click.echo(f"{file}:{number}: {place}")
        if bad:
            raise PlayheadError(f"{bad} bad events in {file}", "mend the lines named above")
        click.echo(f"{file}: all events keep their contracts")


def _compare_files(old: Path, new: Path, mode: Mode, level: Level) -> dict[str, Comparison]:
    """The comparisons of two JSON Schema files, by direction.

    Args:
        old: path of the earlier schema.
        new: path of the later schema.
        mode: mode of the comparison.
        level: level of compatibility, which selects the directions.

    Raises:
        SettingsError: a file is no readable JSON Schema.
    """
    before, after = read_json(old), read_json(new)
    pairs = {"backward": (after, before), "forward": (before, after)}
    try:
        return {direction: accepts(*pairs[direction], mode=mode) for direction in level.directions}
    except SchemaDocumentError as error:
        raise SettingsError(f"not a JSON Schema: {error}", f"mend {old} or {new}") from None


def _worst(comparisons: Iterable[Comparison]) -> Verdict:
    """The worst verdict of some comparisons.

    Returns:
        The verdict; COMPATIBLE without any comparison.
    """
    verdicts = {comparison.verdict for comparison in comparisons}
    return max(verdicts, key=list(Verdict).index, default=Verdict.COMPATIBLE)


def _comparison_document(comparison: Comparison) -> dict[str, Any]:
    """A comparison as a JSON document."""
    findings = [asdict(finding) for finding in comparison.findings]
    return {"verdict": comparison.verdict, "findings": findings}


def _print_refusals(folder: Path, found: Sequence[Refusal], misplaced: Sequence[Mismatch]) -> None:
    """Print refusals and mismatches; without any, the contracts that are not yet published."""
    for refusal in found:
        file = folder / refusal.event_type / f"{refusal.version}.json"
        where = f"{file}: {refusal.verdict} at {refusal.path} {refusal.keyword}"
        click.echo(f"{where}: {refusal.reason} -> {refusal.remedy}")
    for mismatch in misplaced:
        click.echo(str(mismatch))
    if not found and not misplaced:
        registry = load_registry(folder)
        waiting = ", ".join(contract.name for contract in drafts(registry, load_lock(folder)))
        click.echo(f"{len(list(registry))} contracts hold their promises")
        if waiting:
            click.echo(f"not published yet: {waiting} -> python -m jobs.contracts lock")


def _find(registry: Registry, name: str) -> Contract:
    """The contract of a name.

    Args:
        registry: the contracts.
        name: TYPE/VERSION, or TYPE for its newest version.

    Raises:
        SettingsError: there is no such type or version.
    """
    event_type, _, version = name.partition("/")
    try:
        versions = {contract.version: contract for contract in registry.versions(event_type)}
    except ContractError as error:
        raise SettingsError(str(error), f"one of {', '.join(registry.event_types)}") from None
    if version and version not in versions:
        raise SettingsError(
            f"no version {version} of {event_type}", f"one of {', '.join(versions)}"
        )
    return versions[version] if version else registry.newest(event_type)


def _line_violations(line: str, registry: Registry) -> list[str]:
    """The violations of one line of JSON.

    Returns:
        One text a violation; empty if the event is valid.
    """
    try:
        event = read_event(line)
    except ValueError as error:
        return [f"$ json: {error}"]
    return [f"{v.path} {v.rule}: {v.message}" for v in validate(event, registry)]


def _read_lines(file: Path) -> list[str]:
    """The lines of a UTF-8 file.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}", "name a readable UTF-8 file") from None


if __name__ == "__main__":
    main()
