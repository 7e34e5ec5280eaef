"""scikit-learn's estimators that are made of others: pipelines, votes, chains, calibration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, cast

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.sklearn import kernels, linear, neighbours, transformers, trees
from tamecheck.loaders.sklearn.kernels import pairwise_scores
from tamecheck.loaders.sklearn.methods import (
    Method,
    Methods,
    apart,
    argmax,
    argmin,
    binary,
    classifier,
    indicator,
    interpolate,
    join,
    normalise,
    positive,
    regressor,
    scalar,
)
from tamecheck.loaders.sklearn.transformers import INVERSES
from tamecheck.loaders.values import Value

__all__ = ["ESTIMATORS", "answer", "parts", "scores_of"]


def _each(method: Callable[[str], Method]) -> Methods:
    """Every method, by its name."""
    names = ("transform", "predict", "decision_function", "predict_proba")
    transform, predict, decision_function, predict_proba = map(method, names)
    return Methods(transform, predict, decision_function, predict_proba)


def answer(method: str, x: Value, estimator: Any) -> Value:
    """One method of an estimator at a row.

    Raises
    ------
    UnsupportedError
        Naming the estimator, if it or this method is not read.
    """
    name = type(estimator).__name__
    if isinstance(estimator, str) and estimator == "passthrough":
        return x
    methods = ESTIMATORS.get(name)
    found = cast("Method | None", getattr(methods, method)) if methods else None
    if found is None:
        reason = f"its {method} is not read" if methods else "this estimator is not read"
        raise UnsupportedError("scikit-learn:", nodes=[(name, reason)])
    try:
        return found(x, estimator)
    except UnsupportedError as error:
        if error.nodes:
            raise
        raise UnsupportedError("scikit-learn:", nodes=[(name, error.what)]) from None


def parts(estimator: Any) -> Iterator[Any]:
    """The estimators that an estimator is made of, itself included unless it is a pipeline."""
    name = type(estimator).__name__
    if name != "Pipeline":
        yield estimator
    for attribute in _PARTS.get(name, ()):
        for part in _flat(getattr(estimator, attribute, None)):
            yield from parts(part)


def _flat(held: Any) -> Iterator[Any]:
    """The estimators in an attribute: one, a list, or a list of tuples with one each."""
    if isinstance(held, list | tuple):
        for one in cast("Sequence[Any]", held):
            yield from _flat(one)
    elif hasattr(held, "get_params"):
        yield held


def scores_of(estimator: Any) -> str:
    """The method that gives scores: the decision function, or the probabilities, or none."""
    if hasattr(estimator, "decision_function"):
        return "decision_function"
    several = len(getattr(estimator, "classes_", ())) > 2
    alone = several and getattr(estimator, "multi_class", "") == "one_vs_one"
    return "predict_proba" if hasattr(estimator, "predict_proba") and not alone else ""


def _pipeline(method: str) -> Method:
    def run(x: Value, pipeline: Any) -> Value:
        steps = [step for _, step in pipeline.steps if step is not None]
        for step in steps[:-1]:
            x = answer("transform", x, step)
        return answer(method, x, steps[-1])

    return run


def _to(attribute: str, *, selected: bool = False) -> Methods:
    """The methods of a part, on the features that were selected."""

    def ask(method: str) -> Method:
        def run(x: Value, estimator: Any) -> Value:
            kept = x.take(np.flatnonzero(estimator.support_), 0) if selected else x
            return answer(method, kept, getattr(estimator, attribute))

        return run

    return _each(ask)


def _union(x: Value, union: Any) -> Value:
    """The features of all transformers beside each other."""
    weights: Mapping[str, float] = union.transformer_weights or {}
    found: list[Value] = []
    for name, part in union.transformer_list:
        if part in ("drop", None):
            continue
        y = answer("transform", x, part)
        found.append(y * x.emitter.constant(float(weights[name])) if name in weights else y)
    return join(found, "features")


def _columns(x: Value, table: Any) -> Value:
    """The features that each transformer makes of its columns, beside each other."""
    places: Mapping[str, Sequence[int]] = table._transformer_to_input_indices  # noqa: SLF001 - has no public name
    weights: Mapping[str, float] = table.transformer_weights or {}
    found: list[Value] = []
    for name, part, _ in table.transformers_:
        indices = np.asarray(places[name])
        if (isinstance(part, str) and part == "drop") or not indices.size:
            continue
        y = answer("transform", x.take(indices, 0), part)
        found.append(y * x.emitter.constant(float(weights[name])) if name in weights else y)
    return join(found, "features")


def _unit(x: Value, estimator: Any, classes: Array | None = None) -> Value:
    """The unit vector of the predicted class, among ``classes``."""
    own = np.asarray(estimator.classes_)
    vector = indicator(answer("predict", x, estimator), len(own))
    return vector if classes is None else vector @ x.emitter.constant(_places(own, classes))


def _places(own: Array, classes: Array) -> Array:
    """The matrix that takes a number a class of ``own`` to one a class of ``classes``."""
    return (own[:, None] == classes[None, :]).astype(np.int64)


def _numbers(x: Value, estimator: Any) -> Value:
    """What is predicted, as a number: the class itself, not its index."""
    found = answer("predict", x, estimator)
    classes = getattr(estimator, "classes_", None)
    if classes is None or np.array_equal(classes, np.arange(len(classes))):
        return found
    if np.asarray(classes).dtype.kind not in "biuf":
        raise UnsupportedError("labels that are no numbers are not passed on")
    return x.emitter.constant(np.asarray(classes, dtype=np.float64)).apply(
        ops.GATHER, found, axis=0
    )


def _mean(values: Sequence[Value], weights: Any = None) -> Value:
    """The mean, or the weighted mean, of scalars or of vectors."""
    count = len(values)
    table = join(values).reshape((count, *values[0].shape))
    if weights is None:
        return table.mean((0,), keepdims=False)
    given = np.asarray(weights, dtype=np.float64)
    rows = table if table.rank == 1 else table.transpose((1, 0))
    return (rows @ table.emitter.constant(given)) / table.emitter.constant(given.sum())


def _boosted_scores(x: Value, boosted: Any) -> Value:
    """The weighted votes, each class against the others, divided by the sum of the weights."""
    classes, weights = np.asarray(boosted.classes_), boosted.estimator_weights_
    count, constant = len(classes), x.emitter.constant
    if count < 2:
        raise UnsupportedError("one class has no decision")
    kept = list(zip(boosted.estimators_, weights, strict=False))
    units = join([_unit(x, one, classes) for one, _ in kept]).reshape((len(kept), count))
    weight = np.array([w for _, w in kept])
    # a vote gives w to its class and -w/(count - 1) to the others
    votes = constant(weight) @ (units * Fraction(count, count - 1) - Fraction(1, count - 1))
    scores = votes / constant(weights.sum())
    return scores if count > 2 else scores.part(0, 1) - scores.part(0, 0)


def _boosted_shares(x: Value, boosted: Any) -> Value:
    scores = _boosted_scores(x, boosted)
    if not scores.rank:
        scores = join([scores * Fraction(-1, 2), scores * Fraction(1, 2)])
    else:
        scores = scores / (scores.shape[0] - 1)
    return scores.apply(ops.SOFTMAX, label="probabilities", axis=0)


def _weighted_median(x: Value, boosted: Any) -> Value:
    """The least prediction at which half of the weight is reached."""
    found = join([answer("predict", x, one) for one in boosted.estimators_])
    count, constant = found.shape[0], x.emitter.constant
    order = found.apply(ops.ARGSORT, axis=0, descending=False)
    weights = np.asarray(boosted.estimator_weights_[:count], dtype=np.float64)
    sums = constant(weights).apply(ops.GATHER, order, axis=0) @ constant(
        np.triu(np.ones((count, count), dtype=np.int64))
    )
    half = sums.part(0, count - 1) / 2
    first = argmax(half.apply(ops.LESS_EQUAL, sums))
    return found.apply(ops.GATHER, order.apply(ops.GATHER, first, axis=0), label="value", axis=0)


def _bag(method: str) -> Method:
    """The mean over the parts, each on its features."""

    def run(x: Value, bag: Any) -> Value:
        pairs = zip(bag.estimators_, bag.estimators_features_, strict=True)
        return _mean([_bagged(method, x.take(f, 0), one, bag) for one, f in pairs])

    return run


def _bag_label(x: Value, bag: Any) -> Value:
    return argmax(_bag("predict_proba")(x, bag))


def _bagged(method: str, x: Value, one: Any, bag: Any) -> Value:
    if method != "predict_proba":
        return answer(method, x, one)
    # the parts know the classes by their indices
    places = _places(np.asarray(one.classes_), np.arange(len(bag.classes_)))
    shares = answer(method, x, one) if hasattr(one, method) else _unit(x, one)
    return shares if (places == np.eye(len(places))).all() else shares @ x.emitter.constant(places)


def _vote_shares(x: Value, voting: Any) -> Value:
    found = [answer("predict_proba", x, one) for one in voting.estimators_]
    return _mean(found, voting._weights_not_none)  # noqa: SLF001 - has no public name


def _vote_label(x: Value, voting: Any) -> Value:
    """The first class of the most votes, or of the largest mean probability."""
    if voting.voting == "soft":
        return argmax(_vote_shares(x, voting))
    # the parts know the classes by their indices
    classes = np.arange(len(voting.classes_))
    found = [_unit(x, one, classes) for one in voting.estimators_]
    return argmax(_mean(found, voting._weights_not_none))  # noqa: SLF001 - as above


def _vote_value(x: Value, voting: Any) -> Value:
    found = [answer("predict", x, one) for one in voting.estimators_]
    return _mean(found, voting._weights_not_none)  # noqa: SLF001 - as above


def _vote_features(x: Value, voting: Any) -> Value:
    if getattr(voting, "voting", "hard") == "soft":
        return join([answer("predict_proba", x, one) for one in voting.estimators_])
    return join([_numbers(x, one) for one in voting.estimators_])


def _stack(x: Value, stack: Any) -> Value:
    """What the parts say of the row, then the row itself if it is passed through."""
    found: list[Value] = []
    classes = getattr(stack, "classes_", ())
    for one, method in zip(stack.estimators_, stack.stack_method_, strict=True):
        y = _numbers(x, one) if method == "predict" else answer(method, x, one)
        if method == "predict_proba" and len(classes) == 2:
            y = y.cut(0, 1, 1)
        found.append(y)
    return join([*found, x] if stack.passthrough else found, "predictions")


def _stacked(method: str) -> Method:
    return lambda x, stack: answer(method, _stack(x, stack), stack.final_estimator_)


def _binary_score(x: Value, one: Any) -> Value:
    """A number in favour of the second class."""
    if not hasattr(one, "classes_"):
        return answer("predict", x, one)
    method = scores_of(one)
    found = answer(method, x, one)
    return found.part(0, 1) if method == "predict_proba" else found


def _threshold(one: Any) -> Fraction:
    return Fraction(0) if hasattr(one, "decision_function") else Fraction(1, 2)


def _rest_scores(x: Value, rest: Any) -> Value:
    if rest.multilabel_:
        raise UnsupportedError("several labels at once are not read")
    return scalar(join([_binary_score(x, one) for one in rest.estimators_], "decision"))


def _rest_shares(x: Value, rest: Any) -> Value:
    if rest.multilabel_:
        raise UnsupportedError("several labels at once are not read")
    found = [answer("predict_proba", x, one).part(0, 1) for one in rest.estimators_]
    if len(found) == 1:
        return binary(found[0])
    shares = join(found)
    total = shares.total((0,))
    return shares / apart(total, total.apply(ops.EQUAL, 0))


def _rest_label(x: Value, rest: Any) -> Value:
    scores = _rest_scores(x, rest)
    return argmax(scores) if scores.rank else positive(scores - _threshold(rest.estimators_[0]))


def _pair_scores(x: Value, pairs: Any) -> Value:
    """The votes of the pairwise classifiers, and a bounded function of their scores."""
    if pairs.pairwise_indices_ is not None:
        raise UnsupportedError("a precomputed kernel is not read")
    if not all(
        hasattr(one, "predict_proba") or hasattr(one, "classes_") for one in pairs.estimators_
    ):
        raise UnsupportedError("regressors cast no votes; only classifiers are read")
    seconds = join([_numbers(x, one) for one in pairs.estimators_])
    scores = join([_binary_score(x, one) for one in pairs.estimators_])
    found = pairwise_scores(1 - seconds, scores * -1, len(pairs.classes_))
    return found if found.shape[0] > 2 else found.part(0, 1)


def _pair_label(x: Value, pairs: Any) -> Value:
    scores = _pair_scores(x, pairs)
    return argmax(scores) if scores.rank else positive(scores - _threshold(pairs.estimators_[0]))


def _code_label(x: Value, code: Any) -> Value:
    """The class whose code word is nearest to the scores."""
    words = np.asarray(code.code_book_, dtype=np.float64)
    scores = join([_binary_score(x, one) for one in code.estimators_])
    return argmin(scores.affine(-2 * words.T, (words**2).sum(axis=1), "separation"))


def _targets(x: Value, several: Any) -> Value:
    return join([answer("predict", x, one) for one in several.estimators_], "value")


def _chain(method: str) -> Method:
    """A target after the other, each with the earlier ones as features."""

    def run(x: Value, chain: Any) -> Value:
        asked = getattr(chain, "chain_method_", "predict")
        found: list[Value] = []
        seen: list[Value] = []
        for one in chain.estimators_:
            row = join([x, *seen])
            seen.append(_response(asked, row, one, numbers=True))
            found.append(_response(method, row, one, numbers=False))
        return join(found).take(np.argsort(chain.order_), 0)

    return run


def _response(method: str, x: Value, one: Any, *, numbers: bool) -> Value:
    if method == "predict":
        return _numbers(x, one) if numbers else answer(method, x, one)
    found = answer(method, x, one)
    return found.part(0, 1) if method == "predict_proba" else found


def _isotonic(x: Value, estimator: Any) -> Value:
    """The monotone piecewise linear function through the thresholds."""
    if estimator.out_of_bounds != "clip":
        raise UnsupportedError(
            "it has no value outside of its thresholds, only out_of_bounds='clip' is read"
        )
    knots = np.asarray(estimator.X_thresholds_, dtype=np.float64)
    heights = np.asarray(estimator.y_thresholds_, dtype=np.float64)
    return interpolate(scalar(x), knots, heights)


def _calibrated(x: Value, calibrated: Any) -> Value:
    return _mean([_calibrated_one(x, one) for one in calibrated.calibrated_classifiers_])


def _calibrated_one(x: Value, one: Any) -> Value:
    """The scores of a classifier as probabilities."""
    inner, classes = one.estimator, np.asarray(one.classes)
    method, constant = scores_of(inner), x.emitter.constant
    scores = answer(method, x, inner)
    if one.method == "temperature":
        beta = constant(float(one.calibrators[0].beta_))
        if method == "predict_proba":
            logits = (scores + constant(np.float64(1e-12))).apply(ops.LOG)
        else:
            logits = scores if scores.rank else join([scores * -1, scores])
        return (logits * beta).apply(ops.SOFTMAX, label="probabilities", axis=0)
    if len(classes) == 2:
        score = scores.part(0, 1) if method == "predict_proba" else scores
        return binary(_calibrator(score, one.calibrators[0]))
    own = [_calibrator(scores.part(0, i), c) for i, c in enumerate(one.calibrators)]
    shares = join(own) @ constant(_places(np.asarray(inner.classes_), classes))
    return normalise(shares)


def _calibrator(score: Value, calibrator: Any) -> Value:
    if type(calibrator).__name__ == "IsotonicRegression":
        return _isotonic(score, calibrator)
    constant = score.emitter.constant
    # 1 / (1 + exp(a score + b))
    moved = score * constant(-float(calibrator.a_)) - constant(float(calibrator.b_))
    return moved.apply(ops.SIGMOID)


def _above(x: Value, thresholded: Any) -> Value:
    """The class that is chosen where the score of the positive class reaches the threshold."""
    inner, classes = thresholded.estimator_, np.asarray(thresholded.classes_)
    method, limit, label = thresholded.response_method, None, None
    if method == "auto":
        method = "predict_proba" if hasattr(inner, "predict_proba") else "decision_function"
    if type(thresholded).__name__ == "TunedThresholdClassifierCV":
        limit = thresholded.best_threshold_
        label = thresholded._curve_scorer._get_pos_label()  # noqa: SLF001 - has no public name
    else:
        limit, label = thresholded.threshold, thresholded.pos_label
        if limit == "auto":
            limit = 0.5 if method == "predict_proba" else 0.0
    place = 1 if label is None else int(np.flatnonzero(classes == label)[0])
    score = answer(method, x, inner)
    score = score.part(0, place) if method == "predict_proba" else score * (2 * place - 1)
    reached = x.emitter.constant(float(limit)).apply(ops.LESS_EQUAL, score)
    return reached if place else 1 - reached


def _back(x: Value, estimator: Any) -> Value:
    """The prediction taken back to the scale of the targets."""
    found = answer("predict", x, estimator.regressor_)
    inverse = estimator.transformer_
    name = type(inverse).__name__
    if name not in INVERSES:
        raise UnsupportedError(f"the inverse of {name} is not read, only of {', '.join(INVERSES)}")
    column = found if found.rank else found.reshape((1,))
    y = INVERSES[name](column, inverse)
    return y if found.rank else scalar(y)


def _selected(held: str) -> Methods:
    """The methods of a part on the features that the estimator selects."""
    kept = _to(held, selected=True)
    return kept.but(transform=lambda x, e: x.take(np.flatnonzero(e.support_), 0))


_SEARCH = _to("best_estimator_")
_THRESHOLDED = _to("estimator_").but(predict=_above)

_META: Mapping[str, tuple[Methods, tuple[str, ...]]] = {
    "Pipeline": (
        _each(_pipeline),
        ("steps",),
    ),
    "FeatureUnion": (Methods(_union), ("transformer_list",)),
    "ColumnTransformer": (Methods(_columns), ("transformers_",)),
    "FrozenEstimator": (_to("estimator"), ("estimator",)),
    **dict.fromkeys(
        ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"),
        (_SEARCH, ("best_estimator_",)),
    ),
    **dict.fromkeys(("RFE", "RFECV"), (_selected("estimator_"), ("estimator_",))),
    **dict.fromkeys(
        ("SelfTrainingClassifier", "RANSACRegressor"), (_to("estimator_"), ("estimator_",))
    ),
    **dict.fromkeys(
        ("FixedThresholdClassifier", "TunedThresholdClassifierCV"),
        (_THRESHOLDED, ("estimator_",)),
    ),
    "AdaBoostClassifier": (classifier(_boosted_scores, _boosted_shares), ("estimators_",)),
    "AdaBoostRegressor": (regressor(_weighted_median), ("estimators_",)),
    "BaggingClassifier": (
        classifier(_bag("decision_function"), _bag("predict_proba"), _bag_label),
        ("estimators_",),
    ),
    "BaggingRegressor": (regressor(_bag("predict")), ("estimators_",)),
    "VotingClassifier": (
        classifier(None, _vote_shares, _vote_label).but(transform=_vote_features),
        ("estimators_",),
    ),
    "VotingRegressor": (regressor(_vote_value).but(transform=_vote_features), ("estimators_",)),
    "StackingClassifier": (
        classifier(
            _stacked("decision_function"), _stacked("predict_proba"), _stacked("predict")
        ).but(transform=_stack),
        ("estimators_", "final_estimator_"),
    ),
    "StackingRegressor": (
        regressor(_stacked("predict")).but(transform=_stack),
        ("estimators_", "final_estimator_"),
    ),
    "OneVsRestClassifier": (classifier(_rest_scores, _rest_shares, _rest_label), ("estimators_",)),
    "OneVsOneClassifier": (classifier(_pair_scores, predict=_pair_label), ("estimators_",)),
    "_ConstantPredictor": (
        Methods(
            predict=lambda x, e: x.emitter.constant(float(e.y_[0])),
            predict_proba=lambda x, e: binary(x.emitter.constant(float(e.y_[0]))),
        ),
        (),
    ),
    "OutputCodeClassifier": (classifier(predict=_code_label), ("estimators_",)),
    "MultiOutputRegressor": (regressor(_targets), ("estimators_",)),
    "MultiOutputClassifier": (classifier(predict=_targets), ("estimators_",)),
    "RegressorChain": (regressor(_chain("predict")), ("estimators_",)),
    "ClassifierChain": (
        classifier(_chain("decision_function"), _chain("predict_proba"), _chain("predict")),
        ("estimators_",),
    ),
    "CalibratedClassifierCV": (classifier(None, _calibrated), ()),
    "TransformedTargetRegressor": (regressor(_back), ("regressor_",)),
}
"""Estimators made of others, and the attributes that hold these."""

_PARTS: Mapping[str, tuple[str, ...]] = {name: held for name, (_, held) in _META.items()}

ESTIMATORS: Mapping[str, Methods] = {
    **linear.ESTIMATORS,
    **kernels.ESTIMATORS,
    **neighbours.ESTIMATORS,
    **transformers.ESTIMATORS,
    **trees.ESTIMATORS,
    **{name: methods for name, (methods, _) in _META.items()},
}
"""Every estimator that is read, by the name of its class."""
