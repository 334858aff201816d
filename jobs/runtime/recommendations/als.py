"""Spark's implicit ALS, for catalogues too large for a dense matrix of titles x titles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pyspark.ml.feature import StringIndexer
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.recommendations.factors import FactorModel
from transforms.recommendations.fixed_point import PREFERENCE_ONE

ITERATIONS = 15
SEED = 42


def fit(histories: DataFrame, declared: Mapping[str, Any]) -> FactorModel:
    """Find the vectors of all titles that these histories hold.

    Args:
        histories: rows of HISTORY_COLUMNS, at least one.
        declared: declaration; its factors, confidence and factor_l2 are read.
    """
    met = histories.select("user_id", F.explode(F.arrays_zip("titles", "preferences")).alias("met"))
    rows = met.select(
        "user_id",
        F.col("met.titles").alias("title_id"),
        (F.col("met.preferences") / PREFERENCE_ONE).alias("preference"),
    )
    numbered = StringIndexer(
        inputCols=["user_id", "title_id"],
        outputCols=["user", "title"],
        stringOrderType="alphabetAsc",
    ).fit(rows)
    als = ALS(
        rank=declared["factors"],
        maxIter=ITERATIONS,
        regParam=declared["factor_l2"],
        alpha=declared["confidence"],
        implicitPrefs=True,
        userCol="user",
        itemCol="title",
        ratingCol="preference",
        seed=SEED,
    )
    vectors = als.fit(numbered.transform(rows)).itemFactors.toPandas()
    titles = np.asarray(numbered.labelsArray[1], np.str_)
    factors = np.zeros((len(titles), declared["factors"]))
    factors[vectors["id"].to_numpy()] = np.stack(vectors["features"].to_list())
    return FactorModel(titles, factors, declared["confidence"], declared["factor_l2"])
