"""Fitted scikit-learn estimators, as the real functions of their stored numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.loaders.agreement import Original, Point, points_like, refuse_difference
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.sklearn.meta import ESTIMATORS, answer, categories_of, parts, rows_of
from tamecheck.loaders.sklearn.methods import scores_of
from tamecheck.loaders.sklearn.neighbours import BY_DISTANCE
from tamecheck.loaders.values import Emitter

_OUTPUTS = {"transform": "y", "decision_function": "decision", "predict_proba": "probabilities"}


def from_sklearn(estimator: Any, method: str = "") -> Loaded:
    """The function that a fitted scikit-learn estimator, or a pipeline of them, computes.

    The input ``x`` is one row of features.  Without a ``method`` a regressor has the output
    ``value``; a classifier or detector of outliers has ``decision``, which is its
    ``decision_function`` where it has one and its ``predict_proba`` where not, and ``label``, the
    index of the predicted class in ``classes_`` (of an outlier -1, else 1); what only transforms
    has ``y``.  What was read is compared with the estimator's own methods at random points.

    See `tamecheck.from_sklearn` for the parameters and errors.
    """
    where = f"sklearn:{type(estimator).__name__}"
    if not type(estimator).__module__.startswith("sklearn."):
        raise InputError(f"{type(estimator).__name__} is no estimator of scikit-learn.")
    inner = list(parts(estimator))
    refused = dict.fromkeys(
        (type(part).__name__, reason) for part in inner if (reason := _why_not(part))
    )
    if refused:
        raise UnsupportedError("scikit-learn:", nodes=list(refused), where=where)
    emitter = Emitter(folds=False)
    try:
        x = emitter.input("x", (_features(estimator),))
        methods = _methods(estimator, method, where)
        outputs = {name: answer(m, x, estimator) for name, m in methods.items()}
        graph = emitter.builder.build({name: emitter.node(y) for name, y in outputs.items()})
    except AttributeError as error:
        raise InputError(
            f"The estimator is not fitted ({error}).", where=where, hint="Call fit first."
        ) from None
    except UnsupportedError as error:
        raise UnsupportedError("scikit-learn:", nodes=error.nodes, where=where) from None
    points = list(_points(estimator, graph))
    answers = iter(_answers(estimator, graph, methods, points))
    original = Original("scikit-learn", np.float64, lambda _: next(answers))
    refuse_difference(graph, original, iter(points), where=where)
    names = [type(part).__name__ for part in inner]
    counts = {name: names.count(name) for name in sorted(set(names))}
    return Loaded(graph, "sklearn", where, counts, tuple(emitter.notes))


def _why_not(part: Any) -> str:
    """Why an estimator is not read; empty if it is."""
    methods = ESTIMATORS.get(type(part).__name__)
    return methods.why_not(part) if methods else "this estimator is not read"


def _features(estimator: Any) -> int:
    """The number of features; steps that are passed through do not know it."""
    match type(estimator).__name__:
        case "IsotonicRegression":
            return len(estimator.X_thresholds_[:1])
        case "Pipeline":
            pass
        case _:
            return int(estimator.n_features_in_)
    steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
    return _features(steps[0])


def _methods(estimator: Any, method: str, where: str) -> dict[str, str]:
    """The methods that are read, by the names of their outputs."""
    from sklearn import base

    kind: Callable[[Any], bool] = base.is_regressor  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    predicted = "value" if kind(estimator) else "label"
    if method:
        if method not in ("predict", *_OUTPUTS):
            raise InputError(
                f"There is no method {method!r}.", hint=f"Use predict, {', '.join(_OUTPUTS)}."
            )
        if not hasattr(estimator, method):
            raise InputError(f"The estimator has no {method}.", where=where)
        return {_OUTPUTS.get(method, predicted): method}
    if not hasattr(estimator, "predict"):
        return {"y": "transform"}
    scores = scores_of(estimator)
    several = isinstance(getattr(estimator, "classes_", None), list)
    if predicted == "value" or not scores or several:
        return {predicted: "predict"}
    return {"decision": scores, "label": "predict"}


def _points(estimator: Any, graph: Graph) -> Iterator[Point]:
    """Random points, and some near the rows of the fit.

    Features that are categories take these, but at every third point.  Where distances decide,
    points are in general position: of rows at the same distance an estimator may choose any.
    """
    rng = np.random.default_rng(1)
    categories = categories_of(estimator)
    moved = 1e-3 * any(type(part).__name__ in BY_DISTANCE for part in parts(estimator))
    rows = rows_of(estimator)
    points = list(points_like({"x": np.zeros(graph.inputs["x"])}))
    if rows is not None and len(rows):
        # not so near that the squares of small distances have lost their digits in scikit-learn
        reach = np.geomspace(1e-3, 1e-1, 8)[:, None] * rng.choice([-1, 1], (8, rows.shape[1]))
        near: Array = rng.choice(rows, 8) * (1 + reach)
        points += [{"x": row} for row in near]
    for number, point in enumerate(points):
        row = point["x"] * (1 + moved * rng.uniform(-1, 1, point["x"].shape))
        for i, known in categories.items() if number % 3 < 2 else ():
            row[i] = rng.choice(known)
        yield {"x": row}


def _answers(
    estimator: Any, graph: Graph, methods: Mapping[str, str], points: Sequence[Point]
) -> list[dict[str, Array] | None]:
    """What the estimator's own methods say at each point, by the names of the outputs.

    All points are asked at once; one by one where some have no value.
    """
    shapes = {name: graph.nodes[node].shape for name, node in graph.outputs}
    frame = _frame(estimator)
    table = np.array([point["x"] for point in points], dtype=np.float64)

    def ask(rows: Array) -> list[dict[str, Array]]:
        found = [(n, _asked(estimator, n, m, frame(rows), len(rows))) for n, m in methods.items()]
        return [{n: _array(of[i], shapes[n]) for n, of in found} for i in range(len(rows))]

    def alone(row: Array) -> dict[str, Array] | None:
        try:
            return ask(row[None])[0]
        except ValueError:
            # scikit-learn says so where the function has no value
            return None

    with warnings.catch_warnings():
        # an estimator that was fitted to named columns warns of an array
        warnings.simplefilter("ignore")
        try:
            return [*ask(table)]
        except ValueError:
            return list(map(alone, table))


def _asked(estimator: Any, name: str, method: str, rows: Any, count: int) -> Any:
    """The answers of a method, one a row; a label as its index among the classes."""
    found = getattr(estimator, method)(rows)
    found = found.toarray() if hasattr(found, "toarray") else found
    if isinstance(found, list):
        # the probabilities of several labels, a table for each
        found = np.stack([np.asarray(table) for table in cast("list[Array]", found)], axis=1)
    classes = getattr(estimator, "classes_", None)
    if name != "label" or classes is None or (np.ndim(found) > 1 and np.ndim(classes[0]) == 0):
        return found
    if isinstance(classes, list):
        several = cast("list[Array]", classes)
        places: Array = np.argsort(getattr(estimator, "order_", np.arange(len(several))))
        listed: list[Array] = [several[i] for i in places.tolist()]
        return [[np.flatnonzero(c == y) for c, y in zip(listed, row, strict=True)] for row in found]
    return [np.flatnonzero(classes == found[i]) for i in range(count)]


def _array(found: Any, shape: Shape) -> Array:
    """The numbers of one row in the shape that they have in the graph."""
    array = np.asarray(found, dtype=np.float64)
    return array.reshape(shape) if array.size == size_of(shape) else array


def _frame(estimator: Any) -> Callable[[Array], Any]:
    """What makes a row of numbers a table with the columns that the estimator was fitted to."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return lambda row: row
    try:
        import pandas as pd
    except ImportError:
        return lambda row: row
    return lambda row: pd.DataFrame(row, columns=names)
