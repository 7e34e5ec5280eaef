"""Estimators that train binarized networks, and what belongs around them.

They are estimators of scikit-learn, which the extra ``learn`` installs.
"""

from tamecheck.errors import package

package("sklearn", "learn")  # before the modules below import it, so that the error names the extra

# ruff: noqa: E402
from tamecheck.learn.binariser import Binariser, on_features
from tamecheck.learn.descent import Progress, SteBinarizedClassifier
from tamecheck.learn.effort import DataError
from tamecheck.learn.estimator import BinarizedClassifier
from tamecheck.learn.finetune.finetune import (
    FineTuning,
    Robustness,
    robust_finetune,
    verified_robustness,
)
from tamecheck.learn.finetune.network import ReluNetwork, adversarial_points, attackable_points
from tamecheck.learn.mip.classifier import MIPBinarizedClassifier
from tamecheck.learn.mip.ensemble import MIPBinarizedEnsemble
from tamecheck.learn.network import BinarizedNetwork, Layer
from tamecheck.learn.regression.estimator import PiecewisePolynomialRegressor
from tamecheck.learn.tame import TameBinarizedClassifier

__all__ = [
    "Binariser",
    "BinarizedClassifier",
    "BinarizedNetwork",
    "DataError",
    "FineTuning",
    "Layer",
    "MIPBinarizedClassifier",
    "MIPBinarizedEnsemble",
    "PiecewisePolynomialRegressor",
    "Progress",
    "ReluNetwork",
    "Robustness",
    "SteBinarizedClassifier",
    "TameBinarizedClassifier",
    "adversarial_points",
    "attackable_points",
    "on_features",
    "robust_finetune",
    "verified_robustness",
]
