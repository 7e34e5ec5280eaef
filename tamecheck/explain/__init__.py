"""Why a binarized network decides as it does: exact reasons, contrasts and nearest changes."""

from tamecheck.explain.answers import Abductive, Contrastive, Counterfactual, Relevancy
from tamecheck.explain.domain import Domain, Feature, domain_of
from tamecheck.explain.explainer import Explainer, network_of
from tamecheck.explain.search import OutOfTimeError

__all__ = [
    "Abductive",
    "Contrastive",
    "Counterfactual",
    "Domain",
    "Explainer",
    "Feature",
    "OutOfTimeError",
    "Relevancy",
    "domain_of",
    "network_of",
]
