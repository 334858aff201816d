"""Definitions of experiments, layers and holdouts, and all of conf/experiments/ together.

metrics.yaml and layers.yaml hold what experiments share; every other file is one experiment, named
by its id. A fault in any of them is one line that says where it is and what is allowed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import combinations, groupby, pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from transforms.experiments.metrics import BEFORE, PER, Metric
from transforms.experiments.multiplicity import Correction
from transforms.experiments.validation import (
    BUCKETS,
    Bucket,
    Definition,
    DefinitionError,
    Instant,
    Name,
    Share,
    parse,
    refuse_repeats,
    require_known,
)

METRICS_FILE, LAYERS_FILE = "metrics.yaml", "layers.yaml"


class Layer(Definition):
    """A partition of all users: experiments in it that run at once own disjoint buckets.

    Attributes:
        salt: salt that users are hashed with; another salt is another partition.
    """

    salt: Name


class Holdout(Definition):
    """Users kept out of every experiment of some layers, to measure what all of them did together.

    It is for the layers' whole life: one that comes later would take users out of experiments.

    Attributes:
        salt: salt that users are hashed with.
        share: share of all users that is held out.
        layers: names of the layers.
    """

    salt: Name
    share: Share
    layers: tuple[Name, ...]


class Variant(Definition):
    """An arm of an experiment.

    Attributes:
        name: name of the variant.
        weight: share of the experiment's users that it gets.
    """

    name: Name
    weight: Annotated[Share, Field(gt=0)]


class Step(Definition):
    """One step of a traffic ramp.

    Attributes:
        at: instant from which it holds.
        share: share of the users of the experiment's buckets that take part.
    """

    at: Instant
    share: Share


class Guard(Definition):
    """A guardrail: a metric that must not get worse by more than a margin.

    Attributes:
        metric: name of the metric.
        margin: tolerated loss, as a share of the control's value.
    """

    metric: Name
    margin: float = Field(gt=0, lt=1)


class Prior(Definition):
    """Normal prior of a relative effect.

    Attributes:
        mean: mean of the prior.
        sd: standard deviation of the prior.
    """

    mean: float
    sd: float = Field(gt=0)


class Plan(Definition):
    """The plan of analysis, fixed beforehand.

    Attributes:
        procedure: "always_valid", valid for looks and decisions at any time, or "fixed_horizon",
            valid once, at the end.
        alpha: accepted probability of error, for the goals together and for each guardrail.
        correction: correction for multiplicity over the goals and variants.
        tuning_units: AlwaysValid's parameter: about the number of users at which a decision is
            likely.
        power: desired power for an effect of `effect`.
        effect: smallest relative effect that matters.
        minimum_units: minimum of users in an arm before any result.
        mismatch_alpha: sample ratio p-value below which the experiment is invalid.
        contamination_limit: share of users exposed to two variants above which it is invalid.
        prior: prior for the chance to win; None for a flat one.
    """

    procedure: Literal["always_valid", "fixed_horizon"] = "always_valid"
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    correction: Correction = Correction.HOLM
    tuning_units: int = Field(default=5_000, gt=0)
    power: float = Field(default=0.8, gt=0, lt=1)
    effect: float = Field(default=0.02, gt=0)
    minimum_units: int = Field(default=100, ge=2)
    mismatch_alpha: float = Field(default=0.001, gt=0, lt=1)
    contamination_limit: float = Field(default=0.01, ge=0, lt=1)
    prior: Prior | None = None


class Overlap(Definition):
    """Models and titles whose changes during an experiment invalidate it.

    Outcomes before and after such a change cannot be compared.

    Attributes:
        models: names of recommendation models; a change is a version published.
        titles: ids of titles; a change is an update of a title's metadata, or its removal.
    """

    models: tuple[Name, ...] = ()
    titles: tuple[Name, ...] = ()


class Experiment(Definition):
    """The definition of an experiment.

    Attributes:
        id: id of the experiment, as in its events.
        description: text for readers.
        layer: name of the layer that it owns buckets of.
        buckets: first bucket, inclusive, and end, exclusive; 0 to BUCKETS.
        salt: salt that users are hashed with to take part and to get a variant; the id by default.
        variants: the arms; the first is the control.
        traffic: ramp of the share that takes part; shares never fall, so nobody is ever dropped.
        start: instant from which users are exposed, inclusive.
        end: instant until which users are exposed, exclusive.
        population: allowed values of the assignment's context, by key.
        goals: names of metrics of which at least one must improve.
        guardrails: metrics that must not get worse.
        invalidated_by: models and titles that must not change while it runs.
        plan: plan of analysis.
    """

    id: Name
    description: str = ""
    layer: Name
    buckets: tuple[Bucket, Bucket] = (0, BUCKETS)
    salt: Name = ""
    variants: tuple[Variant, ...] = Field(min_length=2)
    traffic: tuple[Step, ...] = Field(min_length=1)
    start: Instant
    end: Instant
    population: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    goals: tuple[Name, ...] = Field(min_length=1)
    guardrails: tuple[Guard, ...] = ()
    invalidated_by: Overlap = Overlap()
    plan: Plan = Plan()

    @model_validator(mode="before")
    @classmethod
    def _salted_by_id(cls, raw: Any) -> Any:
        """Default the salt to the id."""
        return {"salt": raw.get("id"), **raw} if isinstance(raw, Mapping) else raw

    @field_validator("buckets")
    @classmethod
    def _buckets_ascend(cls, buckets: tuple[int, int]) -> tuple[int, int]:
        """Refuse an empty range of buckets."""
        if buckets[0] >= buckets[1]:
            raise ValueError("the first bucket must be before the end of the range")
        return buckets

    @field_validator("variants")
    @classmethod
    def _weights_sum(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        """Refuse repeated variants, and weights that do not sum to 1."""
        refuse_repeats("variant", [variant.name for variant in variants])
        total = sum(variant.weight for variant in variants)
        if total != 1:
            raise ValueError(f"the weights sum to {total}, not 1")
        return variants

    @field_validator("traffic")
    @classmethod
    def _traffic_grows(cls, traffic: tuple[Step, ...]) -> tuple[Step, ...]:
        """Refuse steps that are not later than the step before, or smaller."""
        for before, after in pairwise(traffic):
            if after.at <= before.at or after.share < before.share:
                raise ValueError("each step must be later than the one before, and no smaller")
        return traffic

    @model_validator(mode="after")
    def _judged_once_by_each(self) -> Experiment:
        """Refuse a metric that is listed twice among goals and guardrails."""
        refuse_repeats("metric", self.metrics)
        return self

    @model_validator(mode="after")
    def _ends_after_start(self) -> Experiment:
        """Refuse an end that is not after the start."""
        if self.end <= self.start:
            raise ValueError(
                f"it ends at {self.end:%FT%TZ}, not after its start {self.start:%FT%TZ}"
            )
        return self

    @property
    def control(self) -> str:
        """Name of the variant that the others are compared with."""
        return self.variants[0].name

    @property
    def treatments(self) -> tuple[str, ...]:
        """Names of the other variants."""
        return tuple(variant.name for variant in self.variants[1:])

    @property
    def weights(self) -> dict[str, Decimal]:
        """Weights of the variants, by name."""
        return {variant.name: variant.weight for variant in self.variants}

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, goals before guardrails."""
        return (*self.goals, *(guard.metric for guard in self.guardrails))


@dataclass(frozen=True)
class Catalogue:
    """All definitions together, consistent with each other, indexed by id or name.

    Raises:
        DefinitionError: a metric or layer that is not defined, or two experiments of a layer that
            own the same buckets at the same time.
    """

    metrics: Mapping[str, Metric]
    layers: Mapping[str, Layer]
    holdouts: Mapping[str, Holdout]
    experiments: Mapping[str, Experiment]

    def __post_init__(self) -> None:
        for experiment in self.experiments.values():
            where = f"experiment {experiment.id}"
            require_known("layer", experiment.layer, self.layers, where)
            for metric in experiment.metrics:
                require_known("metric", metric, self.metrics, where)
        _refuse_names_of_variables(self.metrics)
        for name, holdout in self.holdouts.items():
            for layer in holdout.layers:
                require_known("layer", layer, self.layers, f"holdout {name}")
        by_layer = sorted(self.experiments.values(), key=_layer_and_start)
        for _, neighbours in groupby(by_layer, key=lambda experiment: experiment.layer):
            for one, other in combinations(neighbours, 2):
                _refuse_collision(one, other)

    def experiment(self, experiment_id: str) -> Experiment:
        """The definition of an experiment.

        Raises:
            DefinitionError: there is none.
        """
        require_known("experiment", experiment_id, self.experiments, "the catalogue")
        return self.experiments[experiment_id]

    @property
    def metrics_asked_for(self) -> dict[str, Metric]:
        """The metrics that any experiment uses, by name."""
        names = {name for experiment in self.experiments.values() for name in experiment.metrics}
        return {name: self.metrics[name] for name in sorted(names)}

    def holdouts_of(self, layer: str) -> tuple[Holdout, ...]:
        """The holdouts that keep users out of a layer."""
        return tuple(holdout for holdout in self.holdouts.values() if layer in holdout.layers)

    def definition(self, experiment_id: str) -> str:
        """Everything that bears on an experiment's results, as canonical JSON.

        It does not depend on the order of keys, on comments and descriptions, on the time zone
        of an instant, or on defaults being written out.
        """
        experiment = self.experiment(experiment_id)
        parts = [experiment, *(self.metrics[name] for name in sorted(experiment.metrics))]
        content = [part.model_dump(mode="json", exclude={"description"}) for part in parts]
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    def definition_hash(self, experiment_id: str) -> str:
        """SHA-256 of the definition, hexadecimal."""
        return hashlib.sha256(self.definition(experiment_id).encode()).hexdigest()


def parse_definition(definition: str) -> tuple[Experiment, dict[str, Metric]]:
    """Parse the output of `Catalogue.definition`.

    Args:
        definition: canonical JSON.

    Returns:
        The experiment, and its metrics by name.
    """
    first, *rest = json.loads(definition)
    experiment = parse(Experiment, first, origin="definition")
    names = sorted(experiment.metrics)
    told = {"metrics": dict(zip(names, rest, strict=True))}
    return experiment, dict(parse(MetricsFile, told, origin="definition").metrics)


class MetricsFile(Definition):
    """Content of metrics.yaml: the metrics by name."""

    metrics: Mapping[Name, Metric]


class LayersFile(Definition):
    """Content of layers.yaml: the layers and the holdouts, by name."""

    layers: Mapping[Name, Layer]
    holdouts: Mapping[Name, Holdout] = Field(default_factory=dict)


def catalogue(documents: Mapping[str, Any]) -> Catalogue:
    """Build the catalogue of conf/experiments/.

    Args:
        documents: parsed content of the files, by file name; metrics.yaml and layers.yaml among
            them.

    Raises:
        DefinitionError: a fault, in one line: the file, the key, what was found, what is allowed.
    """
    for name in (METRICS_FILE, LAYERS_FILE):
        if name not in documents:
            raise DefinitionError(f"{name} is missing")
    metrics = parse(MetricsFile, documents[METRICS_FILE], origin=METRICS_FILE).metrics
    shared = parse(LayersFile, documents[LAYERS_FILE], origin=LAYERS_FILE)
    experiments = {}
    for name in sorted(documents.keys() - {METRICS_FILE, LAYERS_FILE}):
        experiment = parse(Experiment, documents[name], origin=name)
        if name != f"{experiment.id}.yaml":
            raise DefinitionError(f"{name}: the id is {experiment.id!r}; name the file after it")
        experiments[experiment.id] = experiment
    return Catalogue(metrics, shared.layers, shared.holdouts, experiments)


def traffic_share(experiment: Experiment, at: datetime) -> Decimal:
    """Share of the users of an experiment's buckets that take part at an instant, 0 to 1.

    It is 0 before the first step.
    """
    reached = [step.share for step in experiment.traffic if step.at <= at]
    return reached[-1] if reached else Decimal(0)


def _refuse_names_of_variables(metrics: Iterable[str]) -> None:
    """Refuse names of metrics that end as the names of derived variables do.

    Raises:
        DefinitionError: a name ends with PER or BEFORE.
    """
    for name in metrics:
        if name.endswith((PER, BEFORE)):
            raise DefinitionError(
                f"metric {name}: a name may not end with {PER} or {BEFORE}, which name variables"
            )


def _layer_and_start(experiment: Experiment) -> tuple[str, datetime]:
    """Key that sorts experiments by layer and start."""
    return experiment.layer, experiment.start


def _refuse_collision(one: Experiment, other: Experiment) -> None:
    """Refuse two experiments of one layer that own the same buckets at the same time.

    Raises:
        DefinitionError: they do.
    """
    apart = (
        one.end <= other.start
        or other.end <= one.start
        or one.buckets[1] <= other.buckets[0]
        or other.buckets[1] <= one.buckets[0]
    )
    if not apart:
        raise DefinitionError(
            f"experiments {one.id} and {other.id} own the same buckets of layer {one.layer} "
            "at the same time"
        )
