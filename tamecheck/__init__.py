"""Is a neural network tame? A proof, a certificate, and a small kernel that checks it.

The public names load on first use, so that importing the package stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamecheck import layers, learn
    from tamecheck import plots as plots
    from tamecheck import report as report
    from tamecheck import show as show
    from tamecheck.certificates import recheck
    from tamecheck.cli.entry import many
    from tamecheck.derivative.implicit import implicit
    from tamecheck.duality.methods import dual
    from tamecheck.errors import (
        CertificateError,
        DomainError,
        InputError,
        SolverError,
        TamecheckError,
        UnsupportedError,
    )
    from tamecheck.explain import Explainer, get_rules
    from tamecheck.ir.box import Box
    from tamecheck.ir.program import Program
    from tamecheck.ir.structure import Structure
    from tamecheck.model import Model, expression, from_sklearn, from_torch, load
    from tamecheck.programs import read as load_program
    from tamecheck.programs import solve
    from tamecheck.tame.verdict import Check, Verdict
    from tamecheck.verification import hamming_distance, maximise, minimise, verify, verify_hamming
    from tamecheck.verification.embed import embed
    from tamecheck.verification.extrema import relax_and_walk
    from tamecheck.verification.radii import robustness_radius
    from tamecheck.verification.robustness import verify_robustness

__version__ = "0.2.0"

__all__ = [
    "Box",
    "CertificateError",
    "Check",
    "DomainError",
    "Explainer",
    "InputError",
    "Model",
    "Program",
    "SolverError",
    "Structure",
    "TamecheckError",
    "UnsupportedError",
    "Verdict",
    "__version__",
    "dual",
    "embed",
    "expression",
    "from_sklearn",
    "from_torch",
    "get_rules",
    "hamming_distance",
    "implicit",
    "layers",
    "learn",
    "load",
    "load_program",
    "many",
    "maximise",
    "minimise",
    "recheck",
    "relax_and_walk",
    "robustness_radius",
    "solve",
    "verify",
    "verify_hamming",
    "verify_robustness",
]

_HOME = {
    "Box": ("tamecheck.ir.box", "Box"),
    "CertificateError": ("tamecheck.errors", "CertificateError"),
    "Check": ("tamecheck.tame.verdict", "Check"),
    "DomainError": ("tamecheck.errors", "DomainError"),
    "Explainer": ("tamecheck.explain", "Explainer"),
    "InputError": ("tamecheck.errors", "InputError"),
    "Model": ("tamecheck.model", "Model"),
    "Program": ("tamecheck.ir.program", "Program"),
    "SolverError": ("tamecheck.errors", "SolverError"),
    "Structure": ("tamecheck.ir.structure", "Structure"),
    "TamecheckError": ("tamecheck.errors", "TamecheckError"),
    "UnsupportedError": ("tamecheck.errors", "UnsupportedError"),
    "Verdict": ("tamecheck.tame.verdict", "Verdict"),
    "dual": ("tamecheck.duality.methods", "dual"),
    "embed": ("tamecheck.verification.embed", "embed"),
    "expression": ("tamecheck.model", "expression"),
    "from_sklearn": ("tamecheck.model", "from_sklearn"),
    "from_torch": ("tamecheck.model", "from_torch"),
    "get_rules": ("tamecheck.explain", "get_rules"),
    "hamming_distance": ("tamecheck.verification", "hamming_distance"),
    "implicit": ("tamecheck.derivative.implicit", "implicit"),
    "load": ("tamecheck.model", "load"),
    "load_program": ("tamecheck.programs", "read"),
    "many": ("tamecheck.cli.entry", "many"),
    "maximise": ("tamecheck.verification", "maximise"),
    "minimise": ("tamecheck.verification", "minimise"),
    "recheck": ("tamecheck.certificates", "recheck"),
    "relax_and_walk": ("tamecheck.verification.extrema", "relax_and_walk"),
    "robustness_radius": ("tamecheck.verification.radii", "robustness_radius"),
    "solve": ("tamecheck.programs", "solve"),
    "verify": ("tamecheck.verification", "verify"),
    "verify_hamming": ("tamecheck.verification", "verify_hamming"),
    "verify_robustness": ("tamecheck.verification.robustness", "verify_robustness"),
}

_PACKAGES = ("layers", "learn", "plots", "report", "show")
"""Subpackages that are reached as attributes: ``tamecheck.learn.TameBinarizedClassifier``.

This is the one lazy door: a result that can be drawn or written as HTML says ``import tamecheck``
and ``tamecheck.plots...`` inside the method, so that nothing is imported before it is asked for and
no package below names one above."""


def __getattr__(name: str) -> Any:
    """A public name, imported from where it lives."""
    if name in _PACKAGES:
        return import_module(f"tamecheck.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'tamecheck' has no attribute {name!r}")
    module, attribute = _HOME[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
