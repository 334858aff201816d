"""Controlled experiments: from definitions and exact sums to estimates and decisions.

Read in this order:

1. `metrics`, `definitions`: what a metric and an experiment are; `changes`: what may change while
   one runs; `assignment`: who gets which variant.
2. `sums`: the exact sufficient statistics that everything else is computed from.
3. `effects`: means, proportions and ratios compared, absolutely or relatively, with or without
   CUPED; `quantiles`: the same for quantiles.
4. `inference`: what an effect says, looked at once or at any time; `bayes`: as a posterior.
5. `sample_ratio`, `multiplicity`, `power`: what can go wrong, and how long it will take.
6. `decision`: ship, stop, keep running or invalid; `estimators`, `analysis`: all of it for one
   experiment.

Everything is plain Python on numbers: no Spark, no clock, no randomness.
"""
