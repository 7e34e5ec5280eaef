"""What `check` answers: a verdict, its derivation or witness, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tamecheck.ir.answer import Readable
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.structure import Antichain, Structure
from tamecheck.ir.verdict import Consequence, Open, Properties, Verdict

Step = Mapping[str, Any]
"""A certificate step: a rule's name, the node, what it claims, the numbers of steps it cites."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the derivation: a node, the structures it is definable in, and the reason.

    ``args`` are the node's arguments by number, so that the lines form a tree from the outputs.
    """

    node: int
    name: str
    op: str
    structures: Antichain
    why: str
    args: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """A line in input space on which the function cannot be definable.

    ``summary`` says why in one sentence; ``document`` is the certificate step that replays it.
    """

    refutes: str
    summary: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """A partial op: its node, the condition that it needs, and of which nodes."""

    node: str
    needs: str
    of: str


@dataclass(frozen=True, slots=True)
class Defined:
    """Where the outputs are defined on the box: a model is a partial function."""

    total: bool | None = None
    """Whether on all of the box, where that is shown."""
    where: tuple[Need, ...] = ()
    """The partial ops whose conditions are not shown to hold on the whole box."""
    definable_in: Antichain = ()
    """In which structures the set is definable where all outputs are defined."""
    undefined_at: Mapping[str, tuple[Fraction, ...]] | None = None
    """A point of the box at which some output is undefined."""
    empty: bool | None = None
    """Whether there is no point where all outputs are defined."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Check(Readable):
    """The answer to "is it tame?".

    Parameters
    ----------
    verdict
        The answer.
    structures
        The minimal structures in which every output is definable, the preferred one first.
    defined
        Where on the box the outputs are defined.
    properties
        Regularity where they are.
    before_softmax
        The structures of the scores, when the outputs are their softmax: argmax decisions are
        definable in these.
    consequences
        The theorems that apply.
    open
        For an unknown verdict, the nodes where the derivation stops.
    witness
        For a refuted one, the line that refutes it.
    weaker
        What holds although the function is not shown to be tame, or is not.
    derivation
        One line a node, in topological order.
    certificate
        The certificate document, or None for an unknown verdict.
    trusted
        What the certificate takes from a solver without proof.
    """

    graph: Graph = field(repr=False)
    box: Box = field(repr=False)
    verdict: Verdict
    structures: Antichain = ()
    defined: Defined = field(default_factory=Defined)
    properties: Properties = field(default_factory=Properties)
    before_softmax: Antichain = ()
    consequences: tuple[Consequence, ...] = ()
    open: tuple[Open, ...] = ()
    witness: Witness | None = None
    weaker: tuple[str, ...] = ()
    derivation: tuple[Line, ...] = field(default=(), repr=False)
    certificate: Mapping[str, Any] | None = field(default=None, repr=False)
    trusted: tuple[str, ...] = ()

    @property
    def structure(self) -> Structure | None:
        """The preferred structure, or None."""
        return self.structures[0] if self.structures else None

    @property
    def status(self) -> str:
        """The verdict as a word."""
        return self.verdict.value

    @property
    def rests_on(self) -> str | None:
        """``certificate``, or what it takes from a solver; None if nothing was shown."""
        return None if self.certificate is None else ", ".join(self.trusted) or "certificate"

    def __str__(self) -> str:
        import tamecheck

        return tamecheck.show.check_text(self)

    def __repr__(self) -> str:
        structure = "" if self.structure is None else f" in {self.structure.symbol}"
        return f"<Check: {self.status}{structure}>"

    def _repr_html_(self) -> str:
        import tamecheck

        return tamecheck.show.check_html(self)

    def to_json(self) -> dict[str, Any]:
        """The answer with the keys of ``tamecheck check --json``."""
        import tamecheck

        return {**tamecheck.show.check_json(self), "rests_on": self.rests_on}
