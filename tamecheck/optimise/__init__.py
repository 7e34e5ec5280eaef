"""The largest and smallest values of a network's output on a box, and networks inside MIPs."""

from tamecheck.optimise.answer import Optimum
from tamecheck.optimise.embed import Embedded, embed
from tamecheck.optimise.maximise import maximise, minimise, relax_and_walk

__all__ = ["Embedded", "Optimum", "embed", "maximise", "minimise", "relax_and_walk"]
