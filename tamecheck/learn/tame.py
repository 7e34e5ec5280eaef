"""Tame backpropagation: descent on the elastic value functions of the layers of signs.

Its objective can be certified to be definable and locally Lipschitz.
"""

from __future__ import annotations

import json
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tamecheck import ops
from tamecheck.ir.verdict import Verdict
from tamecheck.learn.descent import Direction, GradientClassifier, Schedule
from tamecheck.learn.directions import Inner, Joint, Split
from tamecheck.learn.effort import DataError, check_choice
from tamecheck.learn.elastic import Elastic, patterns
from tamecheck.learn.estimator import check_fitted, hidden_sizes
from tamecheck.learn.losses import loss_of
from tamecheck.learn.network import Floats
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.outputs import write_text
from tamecheck.loaders.values import Emitter, Value
from tamecheck.model import Model
from tamecheck.tame import Check

WIDEST = 14
"""An objective over wider layers is a minimum over too many patterns to be written out."""

_THEOREM = "Davis, Drusvyatskiy, Kakade, Lee 2020: the stochastic subgradient method converges"
_PROVED, _HOLDS, _FAILS, _OPEN = "proved", "holds", "fails", "not checked"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A hypothesis of a theorem: what it says, whether it holds, and why.

    ``status`` is ``"proved"`` (by a certificate), ``"holds"`` (by construction), ``"fails"`` or
    ``"not checked"``.
    """

    name: str
    status: str
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectiveCertificate:
    """What is proved about the objective of a training, and which hypotheses of a theorem hold.

    ``model`` is the objective of one sample, a function of all parameters, ``check`` the answer of
    `tamecheck.Model.check` with its certificate, ``theorem`` a convergence theorem.
    """

    model: Model
    check: Check
    theorem: str
    hypotheses: tuple[Hypothesis, ...]

    @property
    def covered(self) -> bool:
        """Whether the theorem's hypotheses on the objective and on the steps' directions hold.

        Those on the sizes of steps and on the iterates are about a run, and are not checked.
        """
        return all(h.status in (_PROVED, _HOLDS) for h in self.hypotheses if h.status != _OPEN)

    def save(self, path: str | Path) -> None:
        """Write the certificate that ``tamecheck recheck`` reads.

        Raises
        ------
        DataError
            If there is none.
        """
        if self.check.certificate is None:
            raise DataError("Nothing was proved, so there is no certificate.")
        text = json.dumps(self.check.certificate, allow_nan=False, separators=(",", ":"))
        write_text(path, text)

    def __str__(self) -> str:
        structure = self.check.structure.public_name if self.check.structure else "none"
        lines = [f"objective of one sample: definable in {structure}", self.theorem]
        for hypothesis in self.hypotheses:
            why = f" ({hypothesis.why})" if hypothesis.why else ""
            lines.append(f"  {hypothesis.status}: {hypothesis.name}{why}")
        return "\n".join(lines)


def joint_objective(
    x: Floats, label: int, widths: tuple[int, ...], loss: str, elastic: Elastic
) -> Model:
    """The objective of one sample as a function of all parameters of a network n-h-K.

    At temperature 0, ``min over u of loss(u V + c, y) + rho Σ max(0, kappa - u_j (x W + b)_j)``;
    else ``-t log Σ_u p(u | a) exp(-loss / t)``.  Inputs are W, b, V and c; x and y are constants.

    Raises `DataError` if there is not one hidden layer, or it has more than `WIDEST` neurons.
    """
    if len(widths) != 3:
        raise DataError(
            f"The objective of {len(widths) - 2} hidden layers is not written out.",
            hint="Use one hidden layer.",
        )
    features, hidden, classes = widths
    if hidden > WIDEST:
        raise DataError(
            f"The objective is a minimum over 2**{hidden} patterns.",
            hint=f"It is written out for at most {WIDEST} neurons.",
        )
    emitter = Emitter(folds=False)
    weights = emitter.input("W", (features, hidden))
    offset = emitter.input("b", (hidden,))
    readout = emitter.input("V", (hidden, classes))
    shift = emitter.input("c", (classes,))
    every = emitter.constant(patterns(hidden).astype(np.int64))
    a = emitter.constant(x) @ weights + offset
    scores = (every @ readout).apply(ops.ADD, shift, label="scores")
    slack = emitter.constant(np.float64(elastic.kappa)) - every * a
    penalty = _scale(slack.apply(ops.RELU).total((1,), keepdims=False), elastic.rho)
    losses = _losses(scores, label, classes, loss)
    total = losses.apply(ops.ADD, penalty, label="loss and penalty")
    if elastic.temperature == 0:
        value = total.apply(ops.REDUCE_MIN, label="value", axes=(0,), keepdims=False)
    else:
        soft, least = (_soft_minimum(n, elastic.temperature) for n in (total, penalty))
        value = soft.apply(ops.SUB, least, label="value")
    graph = emitter.builder.build({"value": value.node})
    return Model(Loaded(graph, "learn", f"objective of one sample, network {widths}"))


def _losses(scores: Value, label: int, classes: int, loss: str) -> Value:
    own = scores.take([label], 1)
    own = own.reshape(own.shape[:1])
    if loss == "logistic":
        every = scores.apply(ops.LOGSUMEXP, axes=(1,), keepdims=False)
        return every.apply(ops.SUB, own, label="logistic loss")
    rivals = scores.take([k for k in range(classes) if k != label], 1)
    rival = rivals.apply(ops.REDUCE_MAX, axes=(1,), keepdims=False)
    return (rival - own + 1).apply(ops.RELU, label="hinge loss")


def _scale(x: Value, factor: float) -> Value:
    return x * x.emitter.constant(np.float64(factor))


def _soft_minimum(x: Value, temperature: float) -> Value:
    cold = x / x.emitter.constant(np.float64(-temperature))
    return _scale(cold.apply(ops.LOGSUMEXP, axes=(0,), keepdims=False), -temperature)


def objective_certificate(model: Model, gap: str) -> ObjectiveCertificate:
    """Check the objective of one sample, which `joint_objective` writes out.

    ``gap`` says why the steps do not follow a conservative gradient of a fixed objective, if so.
    """
    check = model.check()
    total = check.defined.total is True
    tame = total and check.verdict is Verdict.TAME
    lipschitz = total and check.properties.locally_lipschitz is True
    hypotheses = (
        Hypothesis("the objective is definable", _PROVED if tame else _FAILS),
        Hypothesis("the objective is locally Lipschitz", _PROVED if lipschitz else _FAILS),
        Hypothesis("steps follow conservative gradients of it", _FAILS if gap else _HOLDS, gap),
        Hypothesis(
            "iterates stay bounded, steps sum to infinity and their squares do not",
            _OPEN,
            "these are about a run; Adam's steps need a theorem of their own",
        ),
    )
    return ObjectiveCertificate(model, check, _THEOREM, hypotheses)


_SCHEDULES = ("rho", "kappa", "temperature")
_CHOICES = {"variant": ("split", "joint"), "inner": ("auto", "exact", "flips")}


@dataclass(eq=False, repr=False)
class TameBinarizedClassifier(GradientClassifier):
    """A binarized network trained by backpropagation through elastic value functions.

    For pre-activations a of a layer and the layers behind it, the signs u are not computed from a
    but chosen: ``v(a) = min_u loss(rest(u)) + rho Σ max(0, kappa - u_j a_j)``, the value of a small
    integer program, or its smooth form at a temperature; see `tamecheck.learn.elastic`.  Its
    conservative gradient trains the layer.

    The parameters are those of `GradientClassifier`, and:

    Parameters
    ----------
    variant
        ``"split"``: each layer descends its own value function with the layers behind it fixed,
        and the readout descends its loss at the actual signs; there are several coupled
        objectives.  ``"joint"``: all parameters descend one objective; the theorem of
        `definability_certificate` is about this one.
    loss
        ``"logistic"`` or ``"hinge"``.
    rho, kappa, temperature
        The slope and the margin of the penalty, and the temperature (0 for the minimum itself);
        each a number, or ``(start, end)`` along a line.  If rho is None, it is 2
        for integer weights and where ``max_norm`` bounds real ones, since their sums cannot grow
        until the penalty is steep enough, else 0.5.
    inner
        How the inner problem is solved.  ``"exact"``: over all 2^h patterns, by enumeration, by
        dynamic programming over the layers, or (temperature 0, last hidden layer) by branch and
        bound.  ``"flips"``: over the flips of one neuron at a time, the others fixed at the signs
        of a, an approximation.  ``"auto"``: exact for layers of up to 10 neurons; for a wider one
        flips if it is the last, else the value function of the layer behind is replaced by its
        tangent, which makes the minimum one problem a neuron.

    Attributes
    ----------
    inner_ : str
        ``"exact"`` if each inner problem of the training was solved exactly, else ``"flips"``, or
        ``"mixed"`` if it depends on the layer, or ``"unproved"`` if branch and bound met its limit.
    variant_ : str
        The variant.
    loss_curve_ : list of float
        The mean of the objective (joint) or of the loss of the network itself (split), an epoch.
    n_iter_ : int
        Epochs that were run.
    interrupted_ : bool
        Whether Ctrl-C ended the training; the network is the best until then.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    >>> xor = TameBinarizedClassifier((4,), random_state=0).fit(X, [0, 1, 1, 0])
    >>> xor.predict(X).tolist(), xor.inner_
    ([0, 1, 1, 0], 'exact')
    """

    _: KW_ONLY
    variant: Literal["split", "joint"] = "split"
    loss: Literal["logistic", "hinge"] = "logistic"
    rho: float | tuple[float, float] | None = None
    kappa: float | tuple[float, float] = 2.0
    temperature: float | tuple[float, float] = 1.0
    inner: Literal["auto", "exact", "flips"] = "auto"
    erasure: float | None = None
    max_norm: float | None = None

    def _direction(self) -> Direction:
        for name, choices in _CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        loss = loss_of(self.loss)
        rho, kappa, temperature = self._schedules()
        inner = Inner.of(
            hidden_sizes(self.hidden),
            self.inner,
            always_cold=temperature == Schedule(0, 0),
            joint=self.variant == "joint",
        )
        self._inner = inner
        kind = Joint if self.variant == "joint" else Split
        return kind(loss, rho, kappa, temperature, inner)

    def _schedules(self) -> list[Schedule]:
        free = self.weights == "real" and np.isinf(self._state.latent.max_norm)
        rho = (0.5 if free else 2.0) if self.rho is None else self.rho
        values = zip(_SCHEDULES, (rho, self.kappa, self.temperature), strict=True)
        return [Schedule.of(value, name, zero=name != "rho") for name, value in values]

    def _conclude(self) -> None:
        self.inner_ = self._inner.summary()
        self.variant_ = self.variant

    def definability_certificate(self, sample: Any = None, label: int = 0) -> ObjectiveCertificate:
        """A certificate that the training objective is definable and locally Lipschitz.

        Parameters
        ----------
        sample
            A row of features; zeros if None.  The objective is a sum over samples of such terms.
        label
            The index of its class.

        Returns
        -------
        ObjectiveCertificate
            The joint objective of one sample as a function of all parameters, the check of it, and
            the hypotheses of the convergence theorem: for this training they hold or fail.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before ``fit``.
        DataError
            If there are several hidden layers, or one that is too wide to be written out.
        """
        check_fitted(self)
        widths = self.network_.widths
        row = np.zeros(widths[0]) if sample is None else np.asarray(sample, dtype=np.float64)
        if row.shape != (widths[0],):
            raise DataError(f"The sample has shape {row.shape}, not ({widths[0]},).")
        if not 0 <= label < widths[-1]:
            raise DataError(f"label={label!r} is not the index of a class.")
        elastic = Elastic(*(schedule.end for schedule in self._schedules()))
        objective = joint_objective(row, label, widths, self.loss, elastic)
        return objective_certificate(objective, self._gap())

    def _gap(self) -> str:
        """Why steps follow no conservative gradient of the joint objective; empty if they do."""
        if self.variant_ == "split":
            return "the split variant descends several coupled objectives"
        if self.inner_ != "exact":
            return "inner problems were not solved exactly"
        if self.weights != "real" or self.readout not in (None, "real"):
            return "integer weights are rounded from latent ones, which is not differentiated"
        for name, schedule in zip(_SCHEDULES, self._schedules(), strict=True):
            if schedule.start != schedule.end:
                return f"{name} changes during the training"
        return ""
