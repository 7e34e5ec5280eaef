"""Estimators that train binarized networks, and what belongs around them."""

from tamecheck.learn.estimator import BinarizedClassifier
from tamecheck.learn.network import BinarizedNetwork, Layer

__all__ = ["BinarizedClassifier", "BinarizedNetwork", "Layer"]
