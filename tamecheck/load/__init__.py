"""Models and input regions from the outside world."""

from tamecheck.load.box_text import parse_box
from tamecheck.load.expression import parse_expression
from tamecheck.load.formats import load
from tamecheck.load.loaded import Loaded
from tamecheck.load.vnnlib import parse_vnnlib, read_vnnlib

__all__ = ["Loaded", "load", "parse_box", "parse_expression", "parse_vnnlib", "read_vnnlib"]
