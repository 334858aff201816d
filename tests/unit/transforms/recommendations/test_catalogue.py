from __future__ import annotations

import numpy as np
import pandas as pd

from transforms.recommendations.catalogue import genre_matrix, title_metadata

CATALOGUE = pd.DataFrame(
    {
        "title_id": ["Amélie (2001)", "title_1"],
        "name": ["Amélie", "Heat"],
        "content_type": [None, "movie"],
        "genres": [None, ["Crime", "Drama"]],
    }
)


def test_a_title_of_which_only_the_name_is_known_is_on_the_shelf() -> None:
    titles = np.array(sorted(CATALOGUE["title_id"]))
    assert genre_matrix(titles, CATALOGUE).tolist() == [[False, False], [True, True]]
    assert title_metadata(CATALOGUE) == [
        ("Amélie (2001)", "Amélie", None, None),
        ("title_1", "Heat", ["Crime", "Drama"], "movie"),
    ]
