"""A certificate that a training objective is definable and locally Lipschitz."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tamecheck import ops
from tamecheck.ir.verdict import Verdict
from tamecheck.learn.effort import DataError
from tamecheck.learn.elastic import Elastic, patterns
from tamecheck.learn.network import Floats
from tamecheck.loaders import Loaded
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
