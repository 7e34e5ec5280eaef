"""Why a binarized network decides as it does: exact reasons, contrasts and nearest changes."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tamecheck.explain.answers import Abductive, Contrastive, Counterfactual, Relevancy
from tamecheck.explain.counts import count, count_ball
from tamecheck.explain.domain import Domain, Feature, domain_of
from tamecheck.explain.explainer import Explainer, network_of
from tamecheck.explain.neurons import network_logic
from tamecheck.explain.rules import get_rules
from tamecheck.explain.rules_result import DecisionRules, Rule
from tamecheck.explain.search import OutOfTimeError

if TYPE_CHECKING:
    from tamecheck.explain.cell_rules import rules_of_cells

__all__ = [
    "Abductive",
    "Contrastive",
    "Counterfactual",
    "DecisionRules",
    "Domain",
    "Explainer",
    "Feature",
    "OutOfTimeError",
    "Relevancy",
    "Rule",
    "count",
    "count_ball",
    "domain_of",
    "get_rules",
    "network_logic",
    "network_of",
    "rules_of_cells",
]


def __getattr__(name: str) -> Any:
    """What is imported on first use, since cells take long to load."""
    if name == "rules_of_cells":
        return import_module("tamecheck.explain.cell_rules").rules_of_cells
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
