"""The instant and the chance that tests of attribution share."""

from __future__ import annotations

import random

from tests.oracles.attribution import DAY
from tests.support.attribution_cases import START

AT = START + 9 * DAY


CHANCE = random.Random(3)
