"""The audit of assignments: recorded variants compared with those that the hash yields."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.runtime.lake.lake import Lake
from transforms.experiments.assignment import hashed_variant
from transforms.experiments.definitions import Catalogue
from transforms.gold.experiment_user import ASSIGNMENTS, assignments


def audit_assignments(lake: Lake, definitions: Catalogue) -> tuple[int, DataFrame]:
    """Compare recorded assignments with the hash.

    Args:
        lake: the lake whose silver.experiments is read.
        definitions: definitions of the experiments; others' assignments are ignored.

    Returns:
        The number of distinct assignments recorded, and those that the hash contradicts:
        experiment_id, user_id, variant and hashed, all strings.
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
