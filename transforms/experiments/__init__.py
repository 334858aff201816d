"""Controlled experiments: from definitions and exact sums to estimates and decisions.

Read in this order:

1. `metrics`, `definitions`: definitions of metrics and experiments; `changes`: the changes allowed
   while one runs; `assignment`: users to variants; `variables`: the metrics' totals of one user.
2. `sums`: the exact sufficient statistics that everything else is computed from.
3. `effects`: comparison of means, proportions and ratios, absolute or relative, with or without
   CUPED; `quantiles`: the same for quantiles.
4. `inference`: intervals and p-values of an effect, for one look or for any number of looks;
   `bayes`: its posterior.
5. `sample_ratio`, `multiplicity`, `power`: validity checks, corrections, and time to a decision.
6. `decision`: ship, stop, keep running or invalid; `estimators`, `analysis`, `segments`: all of it
   for one experiment; `results`, `words`: its rows and sentences.

Everything is plain Python on numbers: no Spark, no clock, no randomness.
"""
