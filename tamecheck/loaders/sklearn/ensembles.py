"""scikit-learn's votes, boosting, stacks, chains and calibration: estimators made of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array
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
    scores_of,
)
from tamecheck.loaders.sklearn.trees import leaves, mean_at, shares_at
from tamecheck.loaders.values import Value

Answer: TypeAlias = Callable[[str, Value, Any], Value]
"""The value of a named method of any estimator at a row."""


def _unit(answer: Answer, x: Value, estimator: Any, classes: Array | None = None) -> Value:
    """The unit vector of the predicted class, among ``classes``."""
    own = np.asarray(estimator.classes_)
    vector = indicator(answer("predict", x, estimator), len(own))
    return vector if classes is None else vector @ _places(own, classes)


def _places(own: Array, classes: Array) -> Array:
    """The matrix that takes a number a class of ``own`` to one a class of ``classes``."""
    return (own[:, None] == classes[None, :]).astype(np.int64)


def _numbers(answer: Answer, x: Value, estimator: Any) -> Value:
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
    return (rows @ given) / given.sum()


def _are_trees(parts: Sequence[Any]) -> bool:
    """Whether the parts are trees, which are evaluated together."""
    return all(hasattr(one, "tree_") for one in parts)


def _boosted_scores(answer: Answer, x: Value, boosted: Any) -> Value:
    """The weighted votes, each class against the others, divided by the sum of the weights."""
    classes, weights = np.asarray(boosted.classes_), boosted.estimator_weights_
    count = len(classes)
    if count < 2:
        raise UnsupportedError("one class has no decision")
    parts = boosted.estimators_
    if _are_trees(parts):
        units = leaves(
            x, parts, lambda one: _places(one.classes_, classes)[shares_at(one).argmax(axis=1)]
        )
    else:
        units = join([_unit(answer, x, one, classes) for one in parts]).reshape((len(parts), count))
    # a vote gives w to its class and -w/(count - 1) to the others
    weight = x.emitter.constant(weights[: len(parts)])
    votes = weight @ (units * Fraction(count, count - 1) - Fraction(1, count - 1))
    scores = votes / weights.sum()
    return scores if count > 2 else scores.part(0, 1) - scores.part(0, 0)


def _boosted_shares(answer: Answer, x: Value, boosted: Any) -> Value:
    scores = _boosted_scores(answer, x, boosted)
    if not scores.rank:
        scores = join([scores * Fraction(-1, 2), scores * Fraction(1, 2)])
    else:
        scores = scores / (scores.shape[0] - 1)
    return scores.apply(ops.SOFTMAX, label="probabilities", axis=0)


def _weighted_median(answer: Answer, x: Value, boosted: Any) -> Value:
    """The least prediction at which half of the weight is reached."""
    parts = boosted.estimators_
    if _are_trees(parts):
        found = leaves(x, parts, mean_at).reshape((len(parts),))
    else:
        found = join([answer("predict", x, one) for one in parts])
    count = found.shape[0]
    order = found.apply(ops.ARGSORT, axis=0, descending=False)
    weights = x.emitter.constant(np.asarray(boosted.estimator_weights_[:count], dtype=np.float64))
    sums = weights.apply(ops.GATHER, order, axis=0) @ np.tri(count, dtype=np.int64).T
    half = sums.part(0, count - 1) / 2
    first = argmax(half.apply(ops.LESS_EQUAL, sums))
    return found.apply(ops.GATHER, order.apply(ops.GATHER, first, axis=0), label="value", axis=0)


def _bag(answer: Answer, method: str, x: Value, bag: Any) -> Value:
    """The mean over the parts, each on its features."""
    if _are_trees(bag.estimators_):
        return _tree_mean(method, x, bag)
    pairs = zip(bag.estimators_, bag.estimators_features_, strict=True)
    return _mean([_bagged(answer, method, x.take(f, 0), one, bag) for one, f in pairs])


def _tree_mean(method: str, x: Value, bag: Any) -> Value:
    """The same of trees."""
    classes = np.arange(len(getattr(bag, "classes_", ())))

    def shares(one: Any) -> Array:
        return shares_at(one) @ _places(one.classes_, classes)

    at = mean_at if method == "predict" else shares
    found = leaves(x, bag.estimators_, at, bag.estimators_features_).mean((0,), keepdims=False)
    return scalar(found) if method == "predict" else found


def _bag_label(answer: Answer, x: Value, bag: Any) -> Value:
    return argmax(_bag(answer, "predict_proba", x, bag))


def _bagged(answer: Answer, method: str, x: Value, one: Any, bag: Any) -> Value:
    if method != "predict_proba":
        return answer(method, x, one)
    # the parts know the classes by their indices
    places = _places(np.asarray(one.classes_), np.arange(len(bag.classes_)))
    shares = answer(method, x, one) if hasattr(one, method) else _unit(answer, x, one)
    return shares if (places == np.eye(len(places))).all() else shares @ places


def _vote_shares(answer: Answer, x: Value, voting: Any) -> Value:
    found = [answer("predict_proba", x, one) for one in voting.estimators_]
    return _mean(found, voting._weights_not_none)  # noqa: SLF001 - has no public name


def _vote_label(answer: Answer, x: Value, voting: Any) -> Value:
    """The first class of the most votes, or of the largest mean probability."""
    if voting.voting == "soft":
        return argmax(_vote_shares(answer, x, voting))
    # the parts know the classes by their indices
    classes = np.arange(len(voting.classes_))
    found = [_unit(answer, x, one, classes) for one in voting.estimators_]
    return argmax(_mean(found, voting._weights_not_none))  # noqa: SLF001 - as above


def _vote_value(answer: Answer, x: Value, voting: Any) -> Value:
    found = [answer("predict", x, one) for one in voting.estimators_]
    return _mean(found, voting._weights_not_none)  # noqa: SLF001 - as above


def _vote_features(answer: Answer, x: Value, voting: Any) -> Value:
    if getattr(voting, "voting", "hard") == "soft":
        return join([answer("predict_proba", x, one) for one in voting.estimators_])
    return join([_numbers(answer, x, one) for one in voting.estimators_])


def _stack(answer: Answer, x: Value, stack: Any) -> Value:
    """What the parts say of the row, then the row itself if it is passed through."""
    found: list[Value] = []
    classes = getattr(stack, "classes_", ())
    for one, method in zip(stack.estimators_, stack.stack_method_, strict=True):
        y = _numbers(answer, x, one) if method == "predict" else answer(method, x, one)
        if method == "predict_proba" and len(classes) == 2:
            y = y.cut(0, 1, 1)
        found.append(y)
    return join([*found, x] if stack.passthrough else found, "predictions")


def _stacked(answer: Answer, method: str, x: Value, stack: Any) -> Value:
    return answer(method, _stack(answer, x, stack), stack.final_estimator_)


def _binary_score(answer: Answer, x: Value, one: Any) -> Value:
    """A number in favour of the second class."""
    if not hasattr(one, "classes_"):
        return answer("predict", x, one)
    method = scores_of(one)
    found = answer(method, x, one)
    return found.part(0, 1) if method == "predict_proba" else found


def _threshold(one: Any) -> Fraction:
    return Fraction(0) if hasattr(one, "decision_function") else Fraction(1, 2)


def _rest_scores(answer: Answer, x: Value, rest: Any) -> Value:
    return scalar(join([_binary_score(answer, x, one) for one in rest.estimators_], "decision"))


def _rest_shares(answer: Answer, x: Value, rest: Any) -> Value:
    found = [answer("predict_proba", x, one).part(0, 1) for one in rest.estimators_]
    if len(found) == 1:
        return binary(found[0])
    shares = join(found)
    if rest.multilabel_:
        return shares
    total = shares.total((0,))
    return shares / apart(total, total.apply(ops.EQUAL, 0))


def _rest_label(answer: Answer, x: Value, rest: Any) -> Value:
    scores = _rest_scores(answer, x, rest)
    one_of_many = scores.rank and not rest.multilabel_
    return argmax(scores) if one_of_many else positive(scores - _threshold(rest.estimators_[0]))


def _pair_scores(answer: Answer, x: Value, pairs: Any) -> Value:
    """The votes of the pairwise classifiers, and a bounded function of their scores."""
    if pairs.pairwise_indices_ is not None:
        raise UnsupportedError("a precomputed kernel is not read")
    if not all(hasattr(one, "classes_") for one in pairs.estimators_):
        raise UnsupportedError("regressors cast no votes; only classifiers are read")
    seconds = join([_numbers(answer, x, one) for one in pairs.estimators_])
    scores = join([_binary_score(answer, x, one) for one in pairs.estimators_])
    found = pairwise_scores(1 - seconds, scores * -1, len(pairs.classes_))
    return found if found.shape[0] > 2 else found.part(0, 1)


def _pair_label(answer: Answer, x: Value, pairs: Any) -> Value:
    scores = _pair_scores(answer, x, pairs)
    return argmax(scores) if scores.rank else positive(scores - _threshold(pairs.estimators_[0]))


def _code_label(answer: Answer, x: Value, code: Any) -> Value:
    """The class whose code word is nearest to the scores."""
    words = np.asarray(code.code_book_, dtype=np.float64)
    scores = join([_binary_score(answer, x, one) for one in code.estimators_])
    return argmin(scores.affine(-2 * words.T, (words**2).sum(axis=1), "separation"))


def _targets(answer: Answer, x: Value, several: Any) -> Value:
    return join([answer("predict", x, one) for one in several.estimators_], "value")


def _chain(answer: Answer, method: str, x: Value, chain: Any) -> Value:
    """A target after the other, each with the earlier ones as features."""
    asked = getattr(chain, "chain_method_", "predict")
    found: list[Value] = []
    seen: list[Value] = []
    for one in chain.estimators_:
        row = join([x, *seen])
        seen.append(_response(answer, asked, row, one, numbers=True))
        found.append(_response(answer, method, row, one, numbers=False))
    return join(found).take(np.argsort(chain.order_), 0)


def _response(answer: Answer, method: str, x: Value, one: Any, *, numbers: bool) -> Value:
    if method == "predict":
        return _numbers(answer, x, one) if numbers else answer(method, x, one)
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


def _calibrated(answer: Answer, x: Value, calibrated: Any) -> Value:
    return _mean([_calibrated_one(answer, x, one) for one in calibrated.calibrated_classifiers_])


def _calibrated_one(answer: Answer, x: Value, one: Any) -> Value:
    """The scores of a classifier as probabilities."""
    inner, classes = one.estimator, np.asarray(one.classes)
    method = scores_of(inner)
    scores = answer(method, x, inner)
    if one.method == "temperature":
        beta = x.emitter.constant(float(one.calibrators[0].beta_))
        if method == "predict_proba":
            logits = (scores + np.float64(1e-12)).apply(ops.LOG)
        else:
            logits = scores if scores.rank else join([scores * -1, scores])
        return (logits * beta).apply(ops.SOFTMAX, label="probabilities", axis=0)
    if len(classes) == 2:
        score = scores.part(0, 1) if method == "predict_proba" else scores
        return binary(_calibrator(score, one.calibrators[0]))
    own = [_calibrator(scores.part(0, i), c) for i, c in enumerate(one.calibrators)]
    shares = join(own) @ _places(np.asarray(inner.classes_), classes)
    return normalise(shares)


def _calibrator(score: Value, calibrator: Any) -> Value:
    if type(calibrator).__name__ == "IsotonicRegression":
        return _isotonic(score, calibrator)
    # 1 / (1 + exp(a score + b))
    moved = score * -float(calibrator.a_) - float(calibrator.b_)
    return moved.apply(ops.SIGMOID)


def ensembles(answer: Answer) -> Mapping[str, Methods]:
    """Estimators by the name of their class; ``answer`` asks their parts."""

    def of(function: Callable[..., Value], *method: str) -> Method:
        return partial(function, answer, *method)

    return {
        "AdaBoostClassifier": classifier(of(_boosted_scores), of(_boosted_shares)),
        "AdaBoostRegressor": regressor(of(_weighted_median)),
        "BaggingClassifier": classifier(
            of(_bag, "decision_function"), of(_bag, "predict_proba"), of(_bag_label)
        ),
        "BaggingRegressor": regressor(of(_bag, "predict")),
        "VotingClassifier": classifier(None, of(_vote_shares), of(_vote_label)).but(
            transform=of(_vote_features)
        ),
        "VotingRegressor": regressor(of(_vote_value)).but(transform=of(_vote_features)),
        "StackingClassifier": classifier(
            of(_stacked, "decision_function"),
            of(_stacked, "predict_proba"),
            of(_stacked, "predict"),
        ).but(transform=of(_stack)),
        "StackingRegressor": regressor(of(_stacked, "predict")).but(transform=of(_stack)),
        "OneVsRestClassifier": classifier(of(_rest_scores), of(_rest_shares), of(_rest_label)),
        "OneVsOneClassifier": classifier(of(_pair_scores), predict=of(_pair_label)),
        "OutputCodeClassifier": classifier(predict=of(_code_label)),
        "MultiOutputRegressor": regressor(of(_targets)),
        "MultiOutputClassifier": classifier(predict=of(_targets)),
        "RegressorChain": regressor(of(_chain, "predict")),
        "ClassifierChain": classifier(
            of(_chain, "decision_function"), of(_chain, "predict_proba"), of(_chain, "predict")
        ),
        "CalibratedClassifierCV": classifier(None, of(_calibrated)),
        "IsotonicRegression": Methods(_isotonic, _isotonic),
        "_ConstantPredictor": Methods(
            predict=lambda x, e: x.emitter.constant(float(e.y_[0])),
            predict_proba=lambda x, e: binary(x.emitter.constant(float(e.y_[0]))),
        ),
    }
