"""Tame backpropagation: descent on the elastic value functions of the layers of signs."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np

from tamecheck.learn.definability import (
    ObjectiveCertificate,
    joint_objective,
    objective_certificate,
)
from tamecheck.learn.descent import Direction, GradientClassifier, Schedule
from tamecheck.learn.directions import Inner, Joint, Split
from tamecheck.learn.effort import DataError, check_choice
from tamecheck.learn.elastic import Elastic
from tamecheck.learn.estimator import check_fitted, hidden_sizes
from tamecheck.learn.losses import loss_of

_SCHEDULES = ("rho", "kappa", "temperature")
_CHOICES = {"variant": ("split", "joint"), "inner": ("auto", "exact", "flips")}


@dataclass(eq=False, repr=False)
class TameBinarizedClassifier(GradientClassifier):
    """A binarized network trained by backpropagation through elastic value functions.

    For pre-activations a of a layer and the layers behind it, the signs u are not computed from a
    but chosen: ``v(a) = min_u loss(rest(u)) + rho Σ max(0, kappa - u_j a_j)``, the value of a small
    integer program, or its smooth form at a temperature; see `tamecheck.learn.elastic`.  Its
    conservative gradient trains the layer.

    Parameters
    ----------
    hidden, weights, readout, epochs, batch_size, learning_rate, erasure, max_norm, \
    early_stopping, validation_fraction, n_iter_no_change, callbacks, class_weight, \
    calibration_folds, timeout, random_state
        See `GradientClassifier`.
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
