"""A model as what is explained: a binarized network where it is one, else any classifier."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, cast

from tamecheck.binarized import ThresholdNetwork, recognise
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.explain.attributes import Attribute, Interval, attributes_of
from tamecheck.explain.models import ModelExplainer
from tamecheck.ir.arguments import instance, rationals
from tamecheck.ir.box import Bound
from tamecheck.ir.exact import rational
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Routing
from tamecheck.ir.tensor import Shape, size_of
from tamecheck.loaders.tables.schema import Schema
from tamecheck.loaders.text.box import box_of_value
from tamecheck.model import Model, from_sklearn
from tamecheck.ops.facets import jump_at_zero
from tamecheck.verification.decisions import deciding, decision_of


def image_shape(model: Model | Graph | ThresholdNetwork) -> tuple[int, ...]:
    """Rows and columns of a model's one input, if it is an image of one channel; else nothing."""
    if isinstance(model, ThresholdNetwork):
        return ()
    graph = model.graph if isinstance(model, Model) else model
    shapes = list(graph.inputs.values())
    wide = [size for size in shapes[0] if size != 1] if len(shapes) == 1 else []
    return tuple(wide) if len(wide) == 2 else ()


def network_of(
    model: Model | Graph | ThresholdNetwork, domain: Sequence[Any] | None = None
) -> ThresholdNetwork:
    """The binarized network that a model is on a domain of two levels.

    Parameters
    ----------
    model
        The model.
    domain
        The two levels of every input, or one such pair an input; what is known of the model if
        None, see `known_levels`.

    Raises
    ------
    UnsupportedError
        If the model is no binarized network there.
    InputError
        If the domain is neither given nor known.
    """
    if isinstance(model, ThresholdNetwork):
        return model
    given = deciding(model).graph if isinstance(model, Model) else model
    graph = instance(given, Graph, what="model", hint="Give a tamecheck.Model.")
    size = sum(map(size_of, graph.inputs.values()))
    pairs = known_levels(model) if domain is None else _pairs(domain)
    if pairs is None:
        # what is no binarized network anywhere is first of all that
        recognise(graph, [(-1, 1)] * size)
        raise InputError(
            "The domain is not known: which two values does each input take?",
            hint="Give them as domain=(-1, 1) or (0, 1) (--domain -1,1), or a table whose columns "
            "have two values (--data TABLE); for other values say the intervals: box= (--box).",
        )
    return recognise(graph, _repeat(pairs, size))


def _repeat(pairs: list[Any], size: int) -> list[Any]:
    """A pair for each input, of pairs or of the one that all have."""
    one = len(pairs) == 2 and not isinstance(pairs[0], (tuple, list))
    return [tuple(pairs)] * size if one else pairs


def pairs_of(domain: Sequence[Any], size: int) -> list[Any]:
    """The two levels of each of so many inputs."""
    return _repeat(_pairs(domain), size)


def _pairs(domain: Sequence[Any]) -> list[Any]:
    """Two levels, or pairs of them."""
    array = rationals(domain, what="domain")
    if array.shape != (2,) and (array.ndim != 2 or array.shape[1] != 2):
        raise InputError("The domain is no pair of levels, and no list of such pairs.")
    return array.tolist()


def known_levels(model: Model | Graph) -> list[Any] | None:
    """The two levels of each input, if they are known without being asked for.

    They are known of a model of ``tamecheck train`` or of an estimator that was trained on rows of
    two values.  A model that reads nothing of its inputs but their signs has -1 and 1: its values
    there are all that it has at inputs without a 0.
    """
    schema = model.schema if isinstance(model, Model) else None
    if schema is not None:
        return list(schema.pairs)
    graph = model.graph if isinstance(model, Model) else model
    return [-1, 1] if _reads_signs(graph) else None


def _reads_signs(graph: Graph) -> bool:
    """Whether every input, wherever it is moved to, is only ever read for its sign."""
    raw = {index for index, node in enumerate(graph.nodes) if isinstance(node, Input)}
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Apply) and raw & set(node.args):
            if isinstance(node.op.meaning, Routing):
                raw.add(index)
            elif jump_at_zero(node.op, node.params) is None:
                return False
    return not raw & {index for _, index in graph.outputs}


def occurring_network(about: Described, domain: Sequence[Any] | None) -> ThresholdNetwork:
    """The binarized network that a model is where its inputs can be.

    Raises `InputError` if the domain is neither given nor known, or is another than the one that is
    known.
    """
    schema = about.schema
    if schema is None or isinstance(about.model, ThresholdNetwork):
        return network_of(about.model, domain)
    network = network_of(about.model, schema.pairs)
    if domain is not None:
        pairs = _repeat(_pairs(domain), network.inputs)
        known = list(zip(network.low, network.high, strict=True))
        if [(rational(low), rational(high)) for low, high in pairs] != known:
            raise InputError(
                "The domain is another than the one that is known of the model.",
                where="domain",
                hint="Leave it out.",
            )
    return network


@dataclass(frozen=True, slots=True)
class Described:
    """A model with what is known of its inputs, and of what the classes are called.

    The model is without what turns rows of a table into its inputs; ``encoded`` says that it was
    given together with that.
    """

    model: Model | Graph | ThresholdNetwork
    schema: Schema | None = None
    classes: tuple[str, ...] = ()
    encoded: bool = False
    names: tuple[str, ...] | None = None
    """The columns that an estimator of scikit-learn was fitted to, if they have names."""
    values: Mapping[int, tuple[Fraction, ...]] = field(
        default_factory=dict[int, tuple[Fraction, ...]]
    )
    """The numbers of the columns that are categories of such an estimator."""


def describe(model: Any) -> Described:
    """A model, an estimator, or a pipeline: of a `Binariser` and one of ours, or of scikit-learn.

    Raises `InputError` if this is no model, and what `tamecheck.from_sklearn` raises.
    """
    steps: Any = getattr(model, "steps", None)
    if steps is not None and len(steps) == 2 and hasattr(steps[0][1], "schema"):
        return replace(describe(steps[1][1]), schema=steps[0][1].schema(), encoded=True)
    parts = [model] if steps is None else [part for _, part in steps]
    if any(hasattr(part, "schema") or hasattr(part, "to_model") for part in parts[:-1]):
        raise InputError(
            "A pipeline is a Binariser and an estimator of tamecheck.learn.",
            hint="Steps between them would change what the inputs say.",
        )
    if type(model).__module__.startswith("sklearn."):
        return _of_sklearn(model)
    if hasattr(model, "to_model"):
        read: Model = model.to_model()
        classes = tuple(map(str, getattr(model, "classes_", ())))
        return Described(read, read.schema, classes)
    if isinstance(model, Model):
        schema = model.schema
        return Described(model, schema, () if schema is None else schema.classes)
    if not isinstance(model, Graph | ThresholdNetwork):
        raise InputError(
            f"This is no model: {type(model).__name__}.",
            hint="Give a tc.Model, a fitted estimator, or a pipeline of these.",
        )
    return Described(model)


def _of_sklearn(estimator: Any) -> Described:
    """A fitted estimator of scikit-learn, or a pipeline of such."""
    from tamecheck.loaders.sklearn.meta import categories_of

    model = from_sklearn(estimator)
    names = getattr(estimator, "feature_names_in_", None)
    classes = tuple(map(str, getattr(estimator, "classes_", ())))
    if not classes:
        raise InputError(
            f"{type(estimator).__name__} is no classifier, so it decides nothing.",
            hint="A regressor's values are compared with a bound: tc.expression, or verify.",
        )
    values = {
        i: tuple(map(rational, found.tolist())) for i, found in categories_of(estimator).items()
    }
    given = None if names is None else tuple(map(str, names))
    return Described(model, None, classes, names=given, values=values)


def labels_of(network: ThresholdNetwork, classes: Sequence[Any]) -> tuple[str, ...]:
    """What the classes of a network are called; nothing if they have numbers only."""
    if len(classes) not in (0, network.classes):
        raise InputError(f"{len(classes)} labels for {network.classes} classes.")
    return tuple(map(str, classes))


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
