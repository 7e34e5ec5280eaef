"""Binarized networks as logic: exact layers of integer threshold neurons, and questions to them."""

from tamecheck.binarized.counting import MAX_FREE, count_classes
from tamecheck.binarized.network import BinarizedNetwork, ThresholdLayer
from tamecheck.binarized.recognise import recognise

__all__ = [
    "MAX_FREE",
    "BinarizedNetwork",
    "ThresholdLayer",
    "count_classes",
    "recognise",
]
