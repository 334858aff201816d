"""Recommendations in closed form, without a session, a file or a clock.

Read in this order:

1. `fixed_point`: fixed-point scales, and why everything summed is an integer.
2. `weighting`: what one (user, title) row of gold.user_title says, as a number; `histories`: these
   numbers by user, as columns of Spark.
3. `gram`: the sufficient statistic of all histories, which merges and updates exactly;
   `gram_blocks`: the same, summed by Spark.
4. `solvers`: from the statistic to item-item weights (EASE, EDLAE, squared spectrum).
5. `popularity`: views that fade, and the prior they give; `views`: from facts to such views.
6. `model`: scores, exact fold-in of a new event, exact explanations; `factors`: by vectors.
7. `ranking`: from scores to a list: ties, diversity.
8. `metrics` and `bootstrap`: how good a list was, and how sure one can be.

Training is declared in `declaration` and judged on a hold-out: `temporal_split`, `evaluation`,
`trial`, `gate`. Lists are made from `catalogue`, `audiences` and `shelves` for the `viewers`, in
the `contexts`, by `lists`, and put in words by `reasons`.

The score of title i for user u is a sum of integers,

    score_ui = sum over j in the history of  h_uj B_ji  +  prior_i

with h_uj the weight of title j in the history (`weighting`), B the learned weights (`solvers`)
and prior_i the logarithm of faded popularity (`popularity`). A user without a history gets the
prior alone, which is popularity; every event adds evidence to it.
"""
