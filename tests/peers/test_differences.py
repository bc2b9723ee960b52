"""What the page calls a difference is one, and is as it says."""

from __future__ import annotations

import pytest
from oracle.tables import differences

DIFFERENCES = differences()


@pytest.mark.parametrize("difference", DIFFERENCES, ids=[d.label for d in DIFFERENCES])
def test_the_difference_is_as_the_page_says(difference):
    difference.shows()


def test_each_has_words_of_its_own():
    assert all(difference.words for difference in DIFFERENCES)
    assert len({d.label for d in DIFFERENCES}) == len(DIFFERENCES)
