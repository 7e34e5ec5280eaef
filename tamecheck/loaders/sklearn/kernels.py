"""scikit-learn's kernel methods: support vector machines, Gaussian processes, ridge, maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any, NamedTuple, cast

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.exact import rational
from tamecheck.ir.tensor import Array
from tamecheck.loaders.sklearn import methods
from tamecheck.loaders.values import Value

_KERNELS = ("linear", "poly", "polynomial", "rbf", "sigmoid", "laplacian")
_ROOT_OF_NU = {1.5: math.sqrt(3), 2.5: math.sqrt(5)}


def _why_not(estimator: Any) -> str:
    if getattr(estimator, "kernel", "linear") not in _KERNELS:
        return f"its kernel is not read, only {', '.join(_KERNELS)} are"
    return ""


class _Kernel(NamedTuple):
    """A kernel by its name and numbers."""

    name: str
    gamma: float
    coef0: float
    degree: float

    def of(self, x: Value, vectors: Array) -> Value:
        """The kernel of the input with every row of the vectors."""
        if self.name in ("rbf", "laplacian"):
            distance = methods.distances(x, vectors, 2 if self.name == "rbf" else 1)
            return (distance * -self.gamma).apply(ops.EXP, label=f"{self.name} kernel")
        product = x.apply(ops.MATMUL, vectors.T, label="linear kernel")
        if self.name == "linear":
            return product
        moved = product * self.gamma + self.coef0
        if self.name == "sigmoid":
            return moved.apply(ops.TANH, label="sigmoid kernel")
        return moved.apply(ops.POW, label="polynomial kernel", exponent=rational(self.degree))


def _pairwise_kernel(x: Value, vectors: Any, estimator: Any) -> Value:
    """The kernel by the options of an estimator, with the defaults of scikit-learn."""
    if estimator.kernel_params:
        raise UnsupportedError("kernel_params are not read")
    gamma = getattr(estimator, "gamma_", estimator.gamma)
    kernel = _Kernel(
        estimator.kernel,
        1 / x.shape[0] if gamma is None else float(gamma),
        1.0 if estimator.coef0 is None else float(estimator.coef0),
        3.0 if estimator.degree is None else float(estimator.degree),
    )
    return kernel.of(x, methods.dense(vectors))


def _support_kernel(x: Value, machine: Any) -> Value:
    """The kernel of the input with every support vector."""
    # the number that gamma="scale" has become in fit
    gamma = 0.0 if machine.kernel == "linear" else float(getattr(machine, "_gamma", machine.gamma))
    kernel = _Kernel(machine.kernel, gamma, float(machine.coef0), machine.degree)
    return kernel.of(x, methods.dense(machine.support_vectors_))


def _expansion(x: Value, machine: Any) -> Value:
    """The kernel expansion over the support vectors."""
    weights, offset = methods.dense(machine.dual_coef_)[0], machine.intercept_[0]
    return _support_kernel(x, machine).affine(weights, offset, "expansion")


def _machines(x: Value, machine: Any) -> Value:
    """The value of each pairwise machine."""
    pairs = combinations(range(len(machine.classes_)), 2)
    weights = methods.dense(machine.dual_coef_)
    owners = np.repeat(np.arange(len(machine.n_support_)), machine.n_support_)
    columns = [
        # libsvm keeps the weights of class i against j in row j-1, and of j against i in row i
        np.where(owners == i, weights[j - 1], 0.0) + np.where(owners == j, weights[i], 0.0)
        for i, j in pairs
    ]
    matrix = np.stack(columns, axis=1)
    return _support_kernel(x, machine).affine(matrix, machine.intercept_, "ovo")


def _sides(classes: int) -> tuple[Array, Array]:
    """For each pair of classes the unit vectors of the first and of the second."""
    pairs, units = list(combinations(range(classes), 2)), np.eye(classes, dtype=np.int64)
    return units[[i for i, _ in pairs]], units[[j for _, j in pairs]]


def pairwise_scores(firsts: Value, values: Value, classes: int) -> Value:
    """The votes for each class, and a bounded monotone function of its summed values.

    Parameters
    ----------
    firsts
        For each pair of classes, 1 if the first wins and 0 if the second does.
    values
        For each pair, a number in favour of the first.
    classes
        The number of classes.
    """
    first, second = _sides(classes)
    # votes = Σ [first wins] e_i + (1 - [first wins]) e_j
    votes = firsts.affine(first - second, second.sum(axis=0), "votes")
    total = values @ (first - second)
    size = total.apply(ops.ABS) + 1
    return votes.apply(ops.ADD, total / (size * 3), label="decision")


def _support_scores(x: Value, machine: Any) -> Value:
    """The expansion for two classes, else the machines' values ("ovo") or votes ("ovr")."""
    classes = len(machine.classes_)
    if classes == 2:
        return _expansion(x, machine)
    values = _machines(x, machine)
    if machine.decision_function_shape == "ovo":
        return values
    # a value of 0 counts for the first class here, unlike in the votes for the label
    return pairwise_scores(values.apply(ops.STEP, at_zero=Fraction(1)), values, classes)


def _support_label(x: Value, machine: Any) -> Value:
    """The class of the most votes; machine (i, j) votes for i where its value is positive."""
    classes = len(machine.classes_)
    if classes == 2:
        return methods.positive(_expansion(x, machine), 1)
    if machine.decision_function_shape == "ovr" and getattr(machine, "break_ties", False):
        return methods.argmax(_support_scores(x, machine))
    first, second = _sides(classes)
    wins = _machines(x, machine).apply(ops.STEP, at_zero=Fraction(0))
    return methods.argmax(wins.affine(first - second, second.sum(axis=0), "votes"))


def _kernel_ridge(x: Value, estimator: Any) -> Value:
    weights = np.asarray(estimator.dual_coef_)
    return _pairwise_kernel(x, estimator.X_fit_, estimator) @ weights


def _nystroem(x: Value, estimator: Any) -> Value:
    values = _pairwise_kernel(x, estimator.components_, estimator)
    return values @ estimator.normalization_.T


def _kernel_components(x: Value, estimator: Any) -> Value:
    """Coordinates along the principal components in the space of the kernel."""
    centre = estimator._centerer  # noqa: SLF001 - has no public name
    values = _pairwise_kernel(x, estimator.X_fit_, estimator)
    offset = x.emitter.constant(centre.K_fit_all_ - centre.K_fit_rows_)
    centred = values - values.mean((0,)) + offset
    known = estimator.eigenvalues_ != 0
    scale = np.sqrt(np.where(known, estimator.eigenvalues_, 1.0))
    return centred @ np.where(known, estimator.eigenvectors_ / scale, 0.0)


def _fourier(x: Value, estimator: Any) -> Value:
    """Random Fourier features."""
    waves = x.affine(estimator.random_weights_, estimator.random_offset_, "phases")
    return waves.apply(ops.COS) * (2.0 / estimator.n_components) ** 0.5


def _covariance(x: Value, points: Array, kernel: Any) -> Value:
    """The kernel of a Gaussian process between the input and each point."""
    match type(kernel).__name__:
        case "Sum":
            return _covariance(x, points, kernel.k1) + _covariance(x, points, kernel.k2)
        case "Product":
            return _covariance(x, points, kernel.k1) * _covariance(x, points, kernel.k2)
        case "Exponentiation":
            base = _covariance(x, points, kernel.kernel)
            return base.apply(ops.POW, exponent=rational(kernel.exponent))
        case name if name in _COVARIANCES:
            return _COVARIANCES[name](x, points, kernel)
        case name:
            raise UnsupportedError(f"the kernel {name} is not read")


def _rational_quadratic(x: Value, points: Array, kernel: Any) -> Value:
    width = 2 * float(kernel.alpha) * float(kernel.length_scale) ** 2
    base = methods.distances(x, points) / width + 1
    return base.apply(ops.POW, exponent=-rational(kernel.alpha))


def _periodic(x: Value, points: Array, kernel: Any) -> Value:
    size = methods.distances(x, points).apply(ops.SQRT)
    wave = (size * (np.pi / float(kernel.periodicity))).apply(ops.SIN)
    return ((wave / float(kernel.length_scale)).square() * -2).apply(ops.EXP)


_COVARIANCES: Mapping[str, Callable[[Value, Array, Any], Value]] = {
    "ConstantKernel": lambda x, points, kernel: x.emitter.constant(
        np.full(len(points), float(kernel.constant_value))
    ),
    "WhiteKernel": lambda x, points, _: x.emitter.constant(np.zeros(len(points))),
    "DotProduct": lambda x, points, kernel: x.affine(
        points.T, float(kernel.sigma_0) ** 2, "dot product"
    ),
    "RBF": lambda x, points, kernel: _gauss(_scaled(x, points, kernel.length_scale)),
    "Matern": lambda x, points, kernel: _matern(
        _scaled(x, points, kernel.length_scale), float(kernel.nu)
    ),
    "RationalQuadratic": _rational_quadratic,
    "ExpSineSquared": _periodic,
}


def _scaled(x: Value, points: Array, scale: Any) -> Value:
    """The squared distances in units of the length scale, one number or one a feature."""
    width = np.broadcast_to(np.asarray(scale, dtype=np.float64), points.shape[1:])
    return ((x - points) / width).square().total((1,), keepdims=False)


def _gauss(squares: Value) -> Value:
    return (squares * Fraction(-1, 2)).apply(ops.EXP)


def _matern(squares: Value, nu: float) -> Value:
    if nu == math.inf:
        return _gauss(squares)
    size = squares.apply(ops.SQRT)
    if nu == 0.5:
        return (size * -1).apply(ops.EXP)
    if nu not in _ROOT_OF_NU:
        raise UnsupportedError(f"a Matern kernel with nu={nu:g} is not elementary")
    size = size * _ROOT_OF_NU[nu]
    head = size + 1
    if nu == 2.5:
        head = head + size.square() / 3
    return head * (size * -1).apply(ops.EXP)


def _process(x: Value, estimator: Any) -> Value:
    """The mean of the posterior."""
    if not hasattr(estimator, "X_train_"):
        raise AttributeError("X_train_")
    mean = _covariance(x, np.asarray(estimator.X_train_), estimator.kernel_) @ estimator.alpha_
    scale, offset = estimator._y_train_std, estimator._y_train_mean  # noqa: SLF001 - have no public names
    return mean * scale + offset


def _latent(x: Value, process: Any) -> Value:
    """The mean of the latent function of a process for two classes."""
    values = _covariance(x, np.asarray(process.X_train_), process.kernel_)
    return values @ (process.y_train_ - process.pi_)


def _process_label(x: Value, estimator: Any) -> Value:
    """By the sign of the latent mean; of several classes by the binary processes."""
    inner = estimator.base_estimator_
    if len(estimator.classes_) == 2:
        return methods.positive(_latent(x, inner))
    if estimator.multi_class == "one_vs_rest":
        return methods.argmax(_process_shares(x, inner.estimators_))
    latent = methods.join([_latent(x, one) for one in inner.estimators_])
    seconds = latent.apply(ops.STEP, at_zero=Fraction(0))
    shares = _process_shares(x, inner.estimators_)
    return methods.argmax(pairwise_scores(1 - seconds, shares * -1, len(estimator.classes_)))


def _process_shares(x: Value, processes: Sequence[Any]) -> Value:
    """The probability of the second class in each binary process."""
    return methods.join([_process_share(x, one) for one in processes])


def _process_share(x: Value, process: Any) -> Value:
    """The logistic function averaged over the latent normal distribution, by error functions."""
    from sklearn.gaussian_process import _gpc

    values = _covariance(x, np.asarray(process.X_train_), process.kernel_)
    mean = values @ (process.y_train_ - process.pi_)
    # L⁻¹ W^½ as one matrix
    root = cast("Array", np.linalg.solve(process.L_, np.diag(process.W_sr_)))
    explained = (values @ root.T).square().total((0,), keepdims=False)
    variance = _prior_variance(x, process.kernel_) - explained
    rates, shares = (np.asarray(a).reshape(-1) for a in (_gpc.LAMBDAS, _gpc.COEFS))
    # with a = 1/(2v): λ m √(a / (a + λ²)) = λ m / √(1 + 2 v λ²)
    spread = (variance * (2 * rates**2) + 1).apply(ops.SQRT)
    integrals = (mean * rates / spread).apply(ops.ERF) / 2
    return integrals @ shares + 0.5 * shares.sum()


def _prior_variance(x: Value, kernel: Any) -> Value:
    """The kernel of the input with itself."""
    constant = x.emitter.constant
    match type(kernel).__name__:
        case "Sum":
            return _prior_variance(x, kernel.k1) + _prior_variance(x, kernel.k2)
        case "Product":
            return _prior_variance(x, kernel.k1) * _prior_variance(x, kernel.k2)
        case "Exponentiation":
            exponent = rational(kernel.exponent)
            return _prior_variance(x, kernel.kernel).apply(ops.POW, exponent=exponent)
        case "ConstantKernel":
            return constant(float(kernel.constant_value))
        case "WhiteKernel":
            return constant(float(kernel.noise_level))
        case "DotProduct":
            square = x.square().total((0,), keepdims=False)
            return square + float(kernel.sigma_0) ** 2
        case _:
            return constant(1.0)


def _process_probabilities(x: Value, estimator: Any) -> Value:
    inner = estimator.base_estimator_
    if len(estimator.classes_) == 2:
        return methods.binary(_process_share(x, inner))
    if estimator.multi_class != "one_vs_rest":
        raise UnsupportedError("multi_class='one_vs_one' has no probabilities")
    shares = _process_shares(x, inner.estimators_)
    return shares / shares.total((0,))


_CLASSES = methods.classifier(_support_scores, predict=_support_label).but(why_not=_why_not)
_VALUES = methods.regressor(_expansion).but(why_not=_why_not)

ESTIMATORS: Mapping[str, methods.Methods] = {
    **dict.fromkeys(("SVC", "NuSVC"), _CLASSES),
    **dict.fromkeys(("SVR", "NuSVR"), _VALUES),
    "OneClassSVM": methods.Methods(
        predict=lambda x, e: methods.positive(_expansion(x, e)) * 2 - 1,
        decision_function=_expansion,
        why_not=_why_not,
    ),
    "KernelRidge": methods.regressor(_kernel_ridge).but(why_not=_why_not),
    "Nystroem": methods.transformer(_nystroem).but(why_not=_why_not),
    "KernelPCA": methods.transformer(_kernel_components).but(why_not=_why_not),
    "RBFSampler": methods.transformer(_fourier),
    "GaussianProcessRegressor": methods.regressor(_process),
    "GaussianProcessClassifier": methods.classifier(None, _process_probabilities, _process_label),
}
"""Estimators by the name of their class."""
