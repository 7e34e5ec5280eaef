"""Features that are given up on trial: one proof is for all of them at the end."""

from __future__ import annotations

from collections.abc import Sequence

from tamecheck.explain.boundary import Boundary, Witnesses

__all__ = ["Trial"]


class Trial:
    """Features that are free without a proof, and why others are needed beside them.

    Parameters
    ----------
    boundary
        The completions of what is free for sure; features on trial are free there as well.
    """

    def __init__(self, boundary: Boundary) -> None:
        self._boundary = boundary
        self._why: Witnesses = {}
        self.features = list[int]()

    @property
    def needed(self) -> set[int]:
        """The features that are needed if all that are on trial are given up."""
        return set(self._why)

    def start(self, order: Sequence[int]) -> None:
        """Give up, in order, all for which quick searches do not show that they are needed."""
        for feature in order:
            if feature in self._why:
                continue
            self._boundary.grown([feature])
            self.features.append(feature)
            while (changed := self._boundary.winner()) is not None:
                self.refuted(changed)
            rest = [k for k in order if k not in self._why and k not in self.features]
            found, _ = self._boundary.needed(rest)
            found |= self._boundary.searched([k for k in rest if k not in found])
            for k, changed in found.items():
                self._why[k] = changed.intersection(self.features)

    def refuted(self, changed: frozenset[int]) -> int:
        """Take back the last of the features that change the decision together, and name it."""
        last = [k for k in self.features if k in changed][-1]
        self.take_back(last)
        self._why[last] = changed.intersection(self.features)
        return last

    def take_back(self, feature: int) -> None:
        """Keep a feature; those that are needed only beside it are open again."""
        self.features.remove(feature)
        self._boundary.held(feature)
        self._why = {k: beside for k, beside in self._why.items() if feature not in beside}
