"""The largest and smallest values of a network's output on a box, and networks inside MIPs."""

from tamecheck.optimise.answer import Optimum
from tamecheck.optimise.maximise import maximise, minimise, relax_and_walk

__all__ = ["Optimum", "maximise", "minimise", "relax_and_walk"]
