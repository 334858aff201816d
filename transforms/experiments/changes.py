"""Changes of definitions while an experiment runs: refused if they move a user who takes part."""

from __future__ import annotations

from datetime import datetime

from transforms.experiments.definitions import Catalogue, Experiment, traffic_share
from transforms.experiments.validation import DefinitionError

_FROZEN = ("layer", "salt", "variants", "start", "population")


def refuse_moves(old: Catalogue, new: Catalogue, at: datetime) -> None:
    """Refuse new definitions under which a user would change variant or drop out.

    An experiment that runs may end earlier or later, ramp further and own more buckets; its goals
    and plan may change too, which its definition hash shows. Before its start and after its end
    everything may change.

    Args:
        old: definitions in force.
        new: definitions that are to replace them.
        at: current instant, an aware datetime.

    Raises:
        DefinitionError: a forbidden change; names the experiment and the field.
    """
    for name, experiment in old.experiments.items():
        if not experiment.start <= at < experiment.end:
            continue
        if name not in new.experiments:
            raise DefinitionError(f"{name} is running: set its end instead of removing it")
        for what in _moving(experiment, new.experiments[name], at):
            raise DefinitionError(f"{name} is running: {what}")
        layer = experiment.layer
        before, after = (
            (catalogue.layers[layer], catalogue.holdouts_of(layer)) for catalogue in (old, new)
        )
        if before != after:
            raise DefinitionError(f"{name} is running: its layer {layer} and holdouts must stay")


def _moving(old: Experiment, new: Experiment, at: datetime) -> list[str]:
    """Describe the forbidden changes of one experiment.

    Returns:
        A phrase for each; empty if there are none.
    """
    found = [
        f"its {field} must stay" for field in _FROZEN if getattr(old, field) != getattr(new, field)
    ]
    if new.buckets[0] > old.buckets[0] or new.buckets[1] < old.buckets[1]:
        found.append(f"it must keep its buckets {old.buckets}")
    if traffic_share(new, at) < traffic_share(old, at):
        found.append(f"its traffic must not fall below {traffic_share(old, at)}")
    return found
