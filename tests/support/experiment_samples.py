"""Published sums of a ratio metric's arms."""

from __future__ import annotations

from transforms.experiments.sums import Sums


def _ratio_arm(numbers: dict[str, float], products: dict[str, float]) -> Sums:
    return Sums(100, numbers, {tuple(pair.split()): value for pair, value in products.items()})


RATIO_A = _ratio_arm(
    {"m": 485.112236689623, "d": 679.9093275844917, "m0": 192.59138069991536,
     "d0": 290.1398399750233},
    {"m m": 2715.484666118136, "d d": 4939.424001640236, "m0 m0": 460.076026390857,
     "d0 d0": 920.9461385038898, "m m0": 1113.6215759318352, "d d0": 2130.9404074446747,
     "m0 d0": 634.239482353647, "m d": 3602.146836776702, "m d0": 1559.2878434944676,
     "m0 d": 1460.3181079276983},
)  # fmt: skip


RATIO_B = _ratio_arm(
    {"m": 514.7757826608777, "d": 705.4090874383759, "m0": 206.94157227402536,
     "d0": 302.54389139107326},
    {"m m": 2994.897482705013, "d d": 5291.36604146392, "m0 m0": 514.2903702246757,
     "d0 d0": 994.4506208125663, "m m0": 1237.0953021125997, "d d0": 2292.081739775257,
     "m0 d0": 698.4173425817908, "m d": 3918.1561431600717, "m d0": 1701.0287270040265,
     "m0 d": 1604.0759503266522},
)  # fmt: skip
