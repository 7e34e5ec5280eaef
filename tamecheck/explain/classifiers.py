"""Which explainer a model has: that of two levels an input, or of any classifier."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.explain.attributes import Attribute, Interval, attributes_of
from tamecheck.explain.decisions import decision_of
from tamecheck.explain.models import ModelExplainer
from tamecheck.explain.networks import Described, describe, occurring_network, pairs_of
from tamecheck.ir.box import Bound
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Shape
from tamecheck.loaders.text.box import box_of_value
from tamecheck.model import Model


def classifier_of(
    model: Any,
    domain: Sequence[Any] | None = None,
    *,
    thermometer: Any = None,
    words: Any = None,
    constraints: Any = (),
    **options: Any,
) -> ModelExplainer | None:
    """The explainer of a classifier that is no binarized network; None of one that is.

    Parameters are those of `tamecheck.explain.Explainer`, and so are the errors.
    """
    about = describe(model)
    if not any(options.get(name) for name in ("integers", "values")) and options.get("box") is None:
        if isinstance(about.model, ThresholdNetwork) or about.schema is not None:
            return None
        try:
            occurring_network(about, domain)
        except UnsupportedError:
            if domain is None and about.names is None and not about.values:
                raise
        except InputError:
            if about.names is None and not about.values:
                return None
        else:
            return None
    if thermometer is not None or words is not None or constraints:
        what = "Thermometers, words, constraints are for networks whose inputs take two levels."
        raise InputError(what, hint="Give box, integers, values and one_hot.")
    return model_explainer(about, domain=domain, **options)


def model_explainer(  # noqa: PLR0913  # what can occur has many sides
    about: Described,
    *,
    domain: Sequence[Any] | None = None,
    box: Any = None,
    integers: Collection[str | int] = (),
    values: Mapping[str | int, Sequence[Any]] | None = None,
    one_hot: Mapping[str, Sequence[int]] | None = None,
    names: Sequence[str] | None = None,
    classes: Sequence[Any] = (),
    seed: int = 0,
) -> ModelExplainer:
    """The explainer of a classifier that is no binarized network.

    Parameters
    ----------
    about
        The model, and what is known of it.
    domain
        The two levels of every input, or pairs of them; or None.
    box
        The interval of each input: in the forms of `Model.check`, or by the names of the features.
    integers, values, one_hot
        See `tamecheck.explain.attributes.attributes_of`.
    names, classes
        What inputs and classes are called, if it is not known.
    seed
        Of the searches.

    Raises
    ------
    InputError
        If the domain is not known, or does not fit the model.
    UnsupportedError
        If it is not known how the model decides.
    """
    if isinstance(about.model, ThresholdNetwork):
        raise InputError("A threshold network takes two levels.", hint="Give domain=(-1, 1).")
    graph = about.model.graph if isinstance(about.model, Model) else about.model
    given = tuple(map(str, classes)) or about.classes
    decision = decision_of(graph, len(given))
    labels = about.names if names is None else tuple(names)
    if labels is None and not any(graph.inputs.values()):
        labels = tuple(graph.inputs)
    listed: dict[str | int, Sequence[Any]] = {**about.values, **(values or {})}
    if domain is not None:
        levels = pairs_of(domain, decision.inputs)
        listed = {**dict(enumerate(levels)), **listed}
        bounds: list[tuple[Bound, Bound]] = [(None, None)] * decision.inputs
    else:
        bounds = bounds_of(box, graph, labels)
    grouped = {i for group in (one_hot or {}).values() for i in group}
    kept = {key: found for key, found in listed.items() if key not in grouped}
    known = attributes_of(bounds, names=labels, integers=integers, values=kept, one_hot=one_hot)
    if box is None and domain is None and any(map(_unbounded, known.items)):
        raise InputError(
            "The domain is not known: which values does each input take?",
            hint="Give intervals: box='-1:1' or box={'age': (18, 90)} (--box); inf is no bound.",
        )
    return ModelExplainer(decision, known, classes=given, names=labels, seed=seed)


def _unbounded(one: Attribute) -> bool:
    return isinstance(one.range, Interval) and None in (one.range.low, one.range.high)


def bounds_of(box: Any, graph: Graph, names: Sequence[str] | None) -> list[tuple[Bound, Bound]]:
    """The interval of each input of a box, which may name the inputs or the features."""
    by_name: dict[str, Shape] = dict.fromkeys(names or (), ())
    if by_name and len(by_name) == len(names or ()):
        keys = cast("Mapping[Any, Any]", box) if isinstance(box, Mapping) else ()
        named = isinstance(box, Mapping) and all(key in by_name for key in keys)
        if named or (isinstance(box, str) and any(f"{name}=" in box for name in by_name)):
            return box_of_value(box, by_name).elements(by_name)
    return box_of_value(box, graph.inputs).elements(graph.inputs)
