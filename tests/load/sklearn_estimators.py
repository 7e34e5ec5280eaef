"""Every estimator of scikit-learn that is read, three or more of a kind with other options."""

import warnings
from functools import cache

from tests.load import sklearn_composites, sklearn_models, sklearn_transformers

FITS = {**sklearn_models.FITS, **sklearn_transformers.FITS, **sklearn_composites.FITS}
"""Estimators with tables, by the name of their class."""


@cache
def fitted(name, number):
    """One of the estimators, fitted."""
    estimator, (x, y) = FITS[name][number]
    open_ = [key for key, value in estimator.get_params().items() if value is None]
    # the same fit on every run
    estimator.set_params(**{key: 0 for key in open_ if key.endswith("random_state")})
    with warnings.catch_warnings():
        # convergence is not the point here
        warnings.simplefilter("ignore")
        return estimator.fit(x, y), x
