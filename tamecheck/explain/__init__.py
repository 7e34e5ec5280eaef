"""Why a binarized network decides as it does: exact reasons, contrasts and nearest changes."""

from tamecheck.explain.answers import (
    Abductive,
    Contrastive,
    Counterfactual,
    Involvement,
    Relevancy,
    Shapley,
)
from tamecheck.explain.counts import count, count_ball, count_within
from tamecheck.explain.domain import Domain, Feature, domain_of
from tamecheck.explain.explainer import Explainer
from tamecheck.explain.models import ModelExplainer
from tamecheck.explain.networks import network_of
from tamecheck.explain.neurons import network_logic
from tamecheck.explain.protected import Protected
from tamecheck.explain.rules import get_rules
from tamecheck.explain.rules_result import DecisionRules, Rule
from tamecheck.explain.sketches import Sketch, SketchRule, sketch

__all__ = [
    "Abductive",
    "Contrastive",
    "Counterfactual",
    "DecisionRules",
    "Domain",
    "Explainer",
    "Feature",
    "Involvement",
    "ModelExplainer",
    "Protected",
    "Relevancy",
    "Rule",
    "Shapley",
    "Sketch",
    "SketchRule",
    "count",
    "count_ball",
    "count_within",
    "domain_of",
    "get_rules",
    "network_logic",
    "network_of",
    "sketch",
]
