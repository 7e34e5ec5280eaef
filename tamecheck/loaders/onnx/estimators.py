"""The operators of ``ai.onnx.ml`` that are functions of numbers: scalers, linear models, trees."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.folding import exact_array, narrow
from tamecheck.loaders.forests import Forest
from tamecheck.loaders.kinds import BOOL, FLOAT, INT64
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, concat

MAX_NODES = 2**20


def _row(ctx: Context, numbers: Sequence[Fraction]) -> Value:
    return ctx.constant(narrow(np.array(numbers, dtype=object)), FLOAT)


def _rows(ctx: Context) -> Value:
    """The input as a matrix with a row a sample, of reals."""
    value = ctx.input(0)
    if value.rank not in (1, 2):
        raise InputError(f"Samples of shape {value.shape} are no matrix.")
    return value if value.rank == 2 else value.reshape((1, *value.shape))


def _transform(value: Value, name: str) -> Value:
    match name:
        case "NONE":
            return value
        case "LOGISTIC":
            return value.apply(ops.SIGMOID)
        case "SOFTMAX":
            return value.apply(ops.SOFTMAX, axis=value.rank - 1)
        case _:
            raise UnsupportedError(f"the transform {name!r} is not read.")


def _scaler(ctx: Context) -> Outputs:
    value = ctx.input(0)
    offset, scale = ctx.attributes.reals("offset") or (), ctx.attributes.reals("scale") or ()
    if len(offset) not in (1, value.shape[-1]) or len(scale) not in (1, value.shape[-1]):
        raise InputError(f"{len(offset)} offsets, {len(scale)} scales do not fit {value.shape}.")
    return (value - _row(ctx, offset)).apply(ops.MUL, _row(ctx, scale), kind=FLOAT)


def _normalizer(ctx: Context) -> Outputs:
    value, norm = _rows(ctx), ctx.attributes.text("norm", "MAX")
    size = value.apply(ops.ABS)
    match norm:
        case "L1":
            length = size.total((1,))
        case "L2":
            length = value.square().total((1,)).apply(ops.SQRT)
        case _:
            raise UnsupportedError(f"the norm {norm!r} is not read.")
    # a row of norm 0 is 0, and stays so
    return value.apply(ops.DIV, length.select(length, 1), kind=FLOAT)


def _binarizer(ctx: Context) -> Outputs:
    value = ctx.input(0)
    return ctx.emitter.apply(
        ops.LESS, ctx.attributes.real("threshold", 0.0), value, kind=value.kind
    )


def _imputer(ctx: Context) -> Outputs:
    value, attributes = ctx.input(0), ctx.attributes
    if value.kind.integral:
        listed = attributes.integers("imputed_value_int64s")
        replaced: float | int = attributes.integer("replaced_value_int64", 0)
        numbers = None if listed is None else [Fraction(n) for n in listed]
        known = Fraction(replaced)
    else:
        numbers = attributes.reals("imputed_value_floats")
        found = attributes.found.get("replaced_value_float")
        attributes.ignore("replaced_value_float")
        if found is not None and found.f != found.f:
            # no real number is NaN
            return value
        known = Fraction(0) if found is None else Fraction(found.f)
    if numbers is None or len(numbers) not in (1, value.shape[-1]):
        raise InputError(f"The imputed values do not fit shape {value.shape}.")
    return value.apply(ops.EQUAL, known, kind=BOOL).select(_row(ctx, numbers), value, value.kind)


def _extract(ctx: Context) -> Outputs:
    value, indices = _rows(ctx), ctx.input(1).integers("the indices")
    return value.take(indices, value.rank - 1)


def _vectorizer(ctx: Context) -> Outputs:
    values = [
        value.reshape((value.shape[0], math.prod(value.shape[1:]))) for value in ctx.all_inputs()
    ]
    sizes = ctx.attributes.integers("inputdimensions")
    if sizes is not None and list(sizes) != [value.shape[1] for value in values]:
        raise InputError(f"Dimensions {list(sizes)} do not fit the inputs.")
    return concat(values, 1, kind=FLOAT)


def _scores(ctx: Context, count: int) -> Value:
    value, numbers = _rows(ctx), ctx.attributes.reals("coefficients") or ()
    offsets = ctx.attributes.reals("intercepts") or (Fraction(0),) * count
    features = value.shape[1]
    if len(numbers) != count * features or len(offsets) != count:
        raise InputError(f"{len(numbers)} coefficients do not fit {features} features.")
    matrix = _row(ctx, numbers).reshape((count, features)).transpose((1, 0))
    return value.apply(ops.MATMUL, matrix, kind=FLOAT) + _row(ctx, offsets)


def _linear_regressor(ctx: Context) -> Outputs:
    found = _scores(ctx, ctx.attributes.integer("targets", 1))
    return _transform(found, ctx.attributes.text("post_transform", "NONE"))


def _linear_classifier(ctx: Context) -> Outputs:
    labels = _labels(ctx)
    ctx.attributes.ignore("multi_class")
    scores = _scores(ctx, len(labels))
    return _classes(ctx, scores, labels)


def _labels(ctx: Context) -> tuple[int, ...]:
    attributes = ctx.attributes
    names = "classlabels_ints", "classlabels_int64s"
    labels = next((found for n in names if (found := attributes.integers(n)) is not None), None)
    if labels is None:
        raise UnsupportedError("labels that are no integers are not read.")
    return labels


def _classes(ctx: Context, scores: Value, labels: Sequence[int]) -> Outputs:
    """The label of the largest score, and the scores once they are transformed."""
    best = scores.apply(ops.ARGMAX, axis=1, keepdims=False, last=False, kind=INT64)
    table = ctx.constant(np.array(labels, dtype=np.int64), INT64)
    label = table.apply(ops.GATHER, best, axis=0)
    return label, _transform(scores, ctx.attributes.text("post_transform", "NONE"))


# --- trees ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Split:
    """An inner node: what is compared, and its children; a negative one is leaf ``-1 - child``."""

    mode: str
    feature: int
    threshold: Fraction
    members: tuple[Fraction, ...]
    children: tuple[int, int]


_Test = Callable[[Value, Value], Value]
_TESTS: Mapping[str, _Test] = {
    "BRANCH_LEQ": lambda x, t: x.apply(ops.LESS_EQUAL, t, kind=BOOL),
    "BRANCH_LT": lambda x, t: x.apply(ops.LESS, t, kind=BOOL),
    "BRANCH_GTE": lambda x, t: t.apply(ops.LESS_EQUAL, x, kind=BOOL),
    "BRANCH_GT": lambda x, t: t.apply(ops.LESS, x, kind=BOOL),
    "BRANCH_EQ": lambda x, t: x.apply(ops.EQUAL, t, kind=BOOL),
    "BRANCH_NEQ": lambda x, t: 1 - x.apply(ops.EQUAL, t, kind=BOOL),
}


def _evaluate(x: Value, nodes: Mapping[int, _Split], roots: Sequence[int], leaves: Array) -> Value:
    """The numbers of each tree, along axis 1."""
    children = {place: split.children for place, split in nodes.items()}
    return Forest(roots, children, leaves).evaluate(
        x.emitter, lambda places: _tests(x, [nodes[place] for place in places]), x.shape[:1]
    )


def _tests(x: Value, splits: Sequence[_Split]) -> Value:
    """Whether each of some nodes goes to its first child, for each row."""
    parts: list[Value] = []
    order: list[int] = []
    for mode in dict.fromkeys(split.mode for split in splits):
        chosen = [i for i, split in enumerate(splits) if split.mode == mode]
        order += chosen
        if mode == "BRANCH_MEMBER":
            parts += [_member(x, splits[i]) for i in chosen]
            continue
        if mode not in _TESTS:
            raise UnsupportedError(f"nodes of mode {mode!r} are not read.")
        exact = np.array([splits[i].threshold for i in chosen], dtype=object)
        columns = x.take([splits[i].feature for i in chosen], 1)
        parts.append(_TESTS[mode](columns, x.emitter.constant(narrow(exact), x.kind)))
    return concat(parts, 1).take(np.argsort(order), 1)


def _member(x: Value, split: _Split) -> Value:
    exact = np.array(split.members, dtype=object)
    column = x.take([split.feature], 1)
    same = column.apply(ops.EQUAL, x.emitter.constant(narrow(exact), x.kind), kind=BOOL)
    return same.apply(ops.REDUCE_MAX, axes=(1,), keepdims=True)


def _join(values: Value, how: str) -> Value:
    count = values.shape[1]
    match how:
        case "SUM":
            return values.total((1,), keepdims=False)
        case "AVERAGE":
            return values.mean((1,), keepdims=False)
        case "MIN" | "MAX" if values.shape[2] == 1 and count:
            op = ops.REDUCE_MIN if how == "MIN" else ops.REDUCE_MAX
            return values.apply(op, axes=(1,), keepdims=False)
        case _:
            raise UnsupportedError(f"trees that are joined by {how!r} are not read.")


def _numbers(ctx: Context, name: str) -> list[Fraction] | None:
    """A list of floats, or a tensor in its place; None if there is neither."""
    tensor = ctx.attributes.tensor(f"{name}_as_tensor")
    if tensor is None:
        listed = ctx.attributes.reals(name)
        return None if listed is None else list(listed)
    exact = exact_array(ctx.decode(tensor).known(name))
    if exact is None:
        raise InputError(f"'{name}' is not finite.")
    return [Fraction(number) for number in exact.reshape(-1).tolist()]


def _forest(
    ctx: Context, targets: int, prefix: str
) -> tuple[Mapping[int, _Split], Sequence[int], Array]:
    """The nodes, roots and leaves of the older operators, whose nodes are numbered tree by tree."""
    listed = ctx.attributes.integers
    ctx.attributes.ignore(
        *("nodes_hitrates", "nodes_hitrates_as_tensor", "nodes_missing_value_tracks_true")
    )
    names = ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
    trees, ids, features, lefts, rights = (listed(f"nodes_{name}") or () for name in names)
    modes, values = ctx.attributes.texts("nodes_modes") or (), _numbers(ctx, "nodes_values") or []
    columns = (ids, features, lefts, rights, modes, values)
    if not trees or len(trees) > MAX_NODES or {len(c) for c in columns} != {len(trees)}:
        raise InputError("The lists of nodes differ in length, or are empty.")
    number = {place: i for i, place in enumerate(zip(trees, ids, strict=True))}
    leaf = {place: -1 - i for i, place in enumerate(number) if modes[number[place]] == "LEAF"}
    table = np.zeros((len(number), targets), dtype=object)
    weights = _numbers(ctx, f"{prefix}_weights") or []
    places = [listed(f"{prefix}_{name}") or () for name in ("treeids", "nodeids", "ids")]
    if len(number) < len(trees) or {len(column) for column in places} != {len(weights)}:
        raise InputError("Two nodes have one number, or the lists of weights differ in length.")
    for tree, node, target, weight in zip(*places, weights, strict=True):
        if (tree, node) not in leaf or not 0 <= target < targets:
            raise InputError(f"Node {node} of tree {tree} is no leaf of target {target}.")
        table[-1 - leaf[tree, node], target] += weight

    def child(tree: int, node: int) -> int:
        if (tree, node) not in number:
            raise InputError(f"There is no node {node} in tree {tree}.")
        return leaf.get((tree, node), number[tree, node])

    nodes = {
        i: _Split(
            modes[i],
            features[i],
            values[i],
            (),
            (child(trees[i], lefts[i]), child(trees[i], rights[i])),
        )
        for i in range(len(trees))
        if modes[i] != "LEAF"
    }
    below = {place for split in nodes.values() for place in split.children}
    tops = [leaf.get(place, i) for place, i in number.items()]
    roots = tuple(place for place in tops if place not in below)
    if len(roots) != len(set(trees)):
        raise InputError("A tree has no root, or several.")
    return nodes, roots, table


def _tree_regressor(ctx: Context) -> Outputs:
    targets = ctx.attributes.integer("n_targets", 1)
    found = _total(ctx, targets, "target")
    return _transform(found, ctx.attributes.text("post_transform", "NONE"))


def _total(ctx: Context, targets: int, prefix: str) -> Value:
    if not 0 < targets <= MAX_NODES:
        raise InputError(f"There are no {targets} targets.")
    values = _evaluate(_rows(ctx), *_forest(ctx, targets, prefix))
    joined = _join(values, ctx.attributes.text("aggregate_function", "SUM"))
    base = _numbers(ctx, "base_values")
    return joined if not base else joined + _row(ctx, base)


def _tree_classifier(ctx: Context) -> Outputs:
    labels = _labels(ctx)
    if len(labels) < 3:
        raise UnsupportedError("trees of two classes are not read; their score has two readings.")
    return _classes(ctx, _total(ctx, len(labels), "class"), labels)


_MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER")
_JOINS = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def _named(names: Sequence[str], code: int) -> str:
    if not 0 <= code < len(names):
        raise InputError(f"{code} is none of {', '.join(names)}.")
    return names[code]


def _exact(ctx: Context, name: str) -> list[Fraction]:
    """The numbers of a tensor that is an attribute; one that is NaN, and counts nowhere, as 0."""
    tensor = ctx.attributes.tensor(name)
    if tensor is None:
        raise InputError(f"The attribute {name!r} is missing.")
    array = ctx.decode(tensor).known(f"'{name}'").reshape(-1)
    exact = exact_array(np.where(np.isnan(array), np.zeros((), array.dtype), array))
    if exact is None:
        raise InputError(f"'{name}' is not finite.")
    return [Fraction(number) for number in exact.tolist()]


def _member_sets(ctx: Context) -> list[tuple[Fraction, ...]]:
    """The sets of numbers, each of which ends with NaN."""
    tensor = ctx.attributes.tensor("membership_values")
    if tensor is None:
        return []
    found: list[tuple[Fraction, ...]] = [()]
    for number in ctx.decode(tensor).known("the members").reshape(-1).tolist():
        if np.isnan(number):
            found.append(())
        else:
            found[-1] = (*found[-1], Fraction(number))
    return found


def _tree_ensemble(ctx: Context) -> Outputs:
    attributes, listed = ctx.attributes, ctx.attributes.integers
    attributes.ignore("nodes_hitrates", "nodes_missing_value_tracks_true")
    targets = attributes.integer("n_targets", 1)
    splits, modes, weights = (
        _exact(ctx, name) for name in ("nodes_splits", "nodes_modes", "leaf_weights")
    )
    sets = iter(_member_sets(ctx))
    names = ("featureids", "truenodeids", "trueleafs", "falsenodeids", "falseleafs")
    features, lefts, left_leaf, rights, right_leaf = (listed(f"nodes_{n}") or () for n in names)
    roots, ids = listed("tree_roots") or (), listed("leaf_targetids") or ()
    columns = (features, lefts, left_leaf, rights, right_leaf, splits)
    count = len(modes)
    if {len(column) for column in columns} != {count} or not roots or count > MAX_NODES:
        raise InputError("The lists of nodes differ in length, or are empty.")
    if len(ids) != len(weights) or not all(0 <= i < targets for i in ids):
        raise InputError("The targets of the leaves do not fit their weights.")
    table = np.zeros((len(ids), targets), dtype=object)
    table[np.arange(len(ids)), list(ids)] = weights
    nodes: dict[int, _Split] = {}
    for i in range(count):
        mode = f"BRANCH_{_named(_MODES, int(modes[i]))}"
        members = next(sets, None) if mode == "BRANCH_MEMBER" else ()
        if members is None or (mode == "BRANCH_MEMBER" and not members):
            raise InputError("The members of a set are missing.")
        left = -1 - lefts[i] if left_leaf[i] else lefts[i]
        right = -1 - rights[i] if right_leaf[i] else rights[i]
        nodes[i] = _Split(mode, features[i], splits[i], members, (left, right))
    values = _evaluate(_rows(ctx), nodes, roots, table)
    joined = _join(values, _named(_JOINS, attributes.integer("aggregate_function", 1)))
    return _transform(joined, _named(_TRANSFORMS, attributes.integer("post_transform", 0)))


ESTIMATORS: Mapping[str, Lowering] = {
    "ArrayFeatureExtractor": _extract,
    "Binarizer": _binarizer,
    "FeatureVectorizer": _vectorizer,
    "Imputer": _imputer,
    "LinearClassifier": _linear_classifier,
    "LinearRegressor": _linear_regressor,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
    "TreeEnsemble": _tree_ensemble,
    "TreeEnsembleClassifier": _tree_classifier,
    "TreeEnsembleRegressor": _tree_regressor,
}
"""Operators of ``ai.onnx.ml``."""
