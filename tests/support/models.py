"""A small item-item model."""

from __future__ import annotations

import random

import numpy as np

from transforms.recommendations.gram import gram, interactions
from transforms.recommendations.model import Model, train, with_following
from transforms.recommendations.neighbours import neighbours
from transforms.recommendations.solvers import SquaredSpectrum

TITLES = [f"t{n:02d}" for n in range(40)]


def train_small(precision: type[np.floating] = np.float32) -> Model:
    """A service whose users keep to even or to odd titles, with some noise."""
    generator = random.Random(3)
    rows = [
        (f"u{user}", title, generator.randint(11, 19))
        for user in range(200)
        for place, title in enumerate(TITLES)
        if generator.random() < (0.3 if place % 2 == user % 2 else 0.03)
    ]
    users, titles, weights = zip(*rows, strict=True)
    statistic = gram(interactions(users, titles, np.array(weights)))
    return train(statistic, SquaredSpectrum(), precision=precision)


MODEL = train_small()


def hear_order() -> Model:
    """The same model, which also says what is met next: t01 after t00, t02 after t01 and so on."""
    generator = random.Random(5)
    starts = [generator.randrange(len(TITLES) - 5) for _ in range(200)]
    statistic = neighbours([np.arange(at, at + 5) for at in starts], MODEL.titles)
    return with_following(MODEL, statistic, 3.0)


ORDERED = hear_order()
