"""Cases solved by a route of their own, each |z| < 4, and all of them together with a mean z² below 2."""

import numpy as np
import pytest
import simulation_cases_steps  # noqa: F401 - its cases join the others
from simulation_cases import CASES


@pytest.mark.parametrize("name", CASES)
def test_as_the_exact_answer_has_it(name):
    """What is simulated is within four of its standard errors of what is computed."""
    CASES[name]().check()


def test_all_of_them_together_scatter_as_their_errors_say():
    """The mean of z² is near 1 over all cases: below 2 (nothing is off), above 0.5 (no error is too wide)."""
    z = np.concatenate([list(one().z.values()) for one in CASES.values()])
    assert len(CASES) >= 30
    assert 0.5 < np.mean(z**2) < 2
