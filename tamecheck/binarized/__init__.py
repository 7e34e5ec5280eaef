"""Binarized networks as logic: exact layers of integer threshold neurons, and questions to them."""

from tamecheck.binarized.convolutional import recognise_windows
from tamecheck.binarized.counting import MAX_FREE, count_classes
from tamecheck.binarized.distance import (
    Distance,
    ball_certificate,
    distance_certificate,
    minimum_distance,
    robust,
)
from tamecheck.binarized.network import Ball, ThresholdLayer, ThresholdNetwork, product
from tamecheck.binarized.recognise import recognise
from tamecheck.binarized.windows import WindowNetwork

__all__ = [
    "MAX_FREE",
    "Ball",
    "Distance",
    "ThresholdLayer",
    "ThresholdNetwork",
    "WindowNetwork",
    "ball_certificate",
    "count_classes",
    "distance_certificate",
    "minimum_distance",
    "product",
    "recognise",
    "recognise_windows",
    "robust",
]
