"""The audit: recorded assignments held to the hash."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.lake import Lake
from transforms.experiments.assignment import hashed_variant
from transforms.experiments.definitions import Catalogue
from transforms.gold.experiment_user import ASSIGNMENTS, assignments


def audit_assignments(lake: Lake, definitions: Catalogue) -> tuple[int, DataFrame]:
    """How many assignments are recorded, and those that the hash contradicts.

    The DataFrame has experiment_id, user_id, variant and hashed.
    """
    experiments = dict(definitions.experiments)
    hashed = F.udf(lambda name, user: hashed_variant(experiments[name], user))
    recorded = (
        assignments(lake.read(ASSIGNMENTS))
        .where(F.col("experiment_id").isin(*experiments))
        .select("experiment_id", "user_id", "variant")
        .distinct()
    )
    checked = recorded.withColumn("hashed", hashed("experiment_id", "user_id"))
    return recorded.count(), checked.where("variant <> hashed")
