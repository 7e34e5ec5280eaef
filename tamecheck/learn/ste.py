"""The straight-through estimator: the usual way to train binarized networks, as a baseline."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from tamecheck.learn.descent import Batch, Direction, GradientClassifier, Step
from tamecheck.learn.latent import Latent, forward
from tamecheck.learn.losses import Loss, loss_of


@dataclass(eq=False, repr=False)
class SteBinarizedClassifier(GradientClassifier):
    """A binarized network trained by the straight-through estimator (Hubara et al. 2016).

    Forward with signs, backward as if a sign were the identity on [-clip, clip].  These slopes are
    not the gradient, nor a conservative field, of any function of the weights, so the convergence
    theorem for stochastic subgradients says nothing about it.

    Parameters
    ----------
    hidden, weights, readout, epochs, batch_size, learning_rate, erasure, max_norm, \
    early_stopping, validation_fraction, n_iter_no_change, callbacks, class_weight, \
    calibration_folds, timeout, random_state
        See `GradientClassifier`.
    loss
        ``"logistic"`` or ``"hinge"``.
    clip
        Pre-activations beyond it pass nothing back.  They are those in training: of centred
        features, and divided by the root of the number of terms, so that one default fits layers
        of all widths.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    >>> SteBinarizedClassifier((4,), random_state=0).fit(X, [0, 0, 0, 1]).score(X, [0, 0, 0, 1])
    1.0
    """

    _: KW_ONLY
    loss: str = "logistic"
    clip: float = 1.0
    learning_rate: float | None = 0.05

    def _direction(self) -> Direction:
        loss = loss_of(self.loss)

        def direction(latent: Latent, batch: Batch, progress: float) -> Step:  # noqa: ARG001
            return straight_through(latent, batch, loss, self.clip)

        return direction


def straight_through(latent: Latent, batch: Batch, loss: Loss, clip: float) -> Step:
    """The slopes of the straight-through estimator on a batch."""
    layers = latent.effective()
    inputs, sums, scores = forward(layers, batch.x)
    share = batch.share
    mean = float(share @ loss.values(scores, batch.labels))
    backs = [loss.slope(scores, batch.labels) * share[:, None]]
    for (weights, _), a in zip(layers[:0:-1], sums[::-1], strict=True):
        backs.append((backs[-1] @ weights.T) * (np.abs(a) <= clip))
    weight_slopes = [x.T @ back for x, back in zip(inputs, backs[::-1], strict=True)]
    return Step.of(mean, weight_slopes, [back.sum(axis=0) for back in backs[::-1]])
