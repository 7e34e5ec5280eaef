"""Sizes of the open dimensions of inputs: a batch is 1, and every other one must be given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import MAX_ELEMENTS
from tamecheck.ir.tensor import Shape
from tamecheck.loaders.onnx.source import name_text

if TYPE_CHECKING:
    from onnx import ValueInfoProto


_BATCH = re.compile(r".*batch.*|n|b|bs|bsz|none|unk__.*|\?|", re.IGNORECASE)
"""Names that frameworks give to a batch; TensorFlow has numbers behind ``unk``."""

_NO_BATCH = re.compile(
    r".*(seq|len|time|step|token|frame|height|width|channel|feature|node|edge|point|[*+/]).*"
    r"|[thwcls]",
    re.IGNORECASE,
)
"""Names that say that a dimension is something else, or a product of a batch with it."""


def open_extents(info: ValueInfoProto) -> list[int | str | None]:
    """The shape of a tensor; an extent that is not fixed is its name, or None."""
    return [
        int(d.dim_value)
        if d.WhichOneof("value") == "dim_value" and d.dim_value >= 0
        else name_text(d.dim_param) or None
        for d in info.type.tensor_type.shape.dim
    ]


def _names_batch(name: str) -> bool:
    return bool(_BATCH.fullmatch(name)) and not _NO_BATCH.fullmatch(name)


class OpenDimensionError(InputError):
    """An input has a dimension without a size that cannot be taken for a batch."""


@dataclass(slots=True)
class Dimensions:
    """The sizes of dimensions by name, or by place as ``x[2]``; ``batches`` are read as 1.

    ``used`` are the sizes that were needed, ``notes`` what was assumed, and ``missing`` the names
    of dimensions that have no size.
    """

    given: Mapping[str, int] = field(default_factory=dict[str, int])
    batches: frozenset[str] = frozenset()
    used: set[str] = field(default_factory=set[str])
    notes: dict[str, None] = field(default_factory=dict[str, None])
    missing: dict[str, str] = field(default_factory=dict[str, str])

    @staticmethod
    def of(given: Mapping[str, int], infos: Iterable[ValueInfoProto]) -> Dimensions:
        """The sizes that are given, and the batches among the dimensions of inputs."""
        for name, size in given.items():
            if not 0 < size <= MAX_ELEMENTS:
                raise InputError(f"A dimension {name!r} cannot have size {size}.")
        firsts = (open_extents(info)[:1] for info in infos)
        names = {name for first in firsts for name in first if isinstance(name, str)}
        return Dimensions(given, frozenset(filter(_names_batch, names)))

    def shape(self, info: ValueInfoProto, known: Shape | None = None) -> Shape:
        """The shape of an input; one without a size has that of a ``known`` value, if it fits."""
        extents = open_extents(info)
        if known is not None and len(known) != len(extents):
            known = None
        return tuple(
            self._extent(info.name, axis, extents, None if known is None else known[axis])
            for axis in range(len(extents))
        )

    def _extent(
        self, name: str, axis: int, extents: Sequence[int | str | None], known: int | None
    ) -> int:
        extent, place = extents[axis], f"{name}[{axis}]"
        keys = [extent, place] if isinstance(extent, str) else [place]
        chosen = [key for key in keys if key in self.given]
        self.used.update(chosen)
        size = self.given[chosen[-1]] if chosen else None
        if isinstance(extent, int):
            return self._fixed(extent, place, size, known)
        if size is not None or known is not None:
            return known or 0 if size is None else size
        shown = "?" if extent is None else extent
        if self._is_batch(extent, axis, len(extents)):
            self.notes.setdefault(f"Dimension {shown!r} of input {name!r} is read as 1.")
            return 1
        key = place if extent is None else extent
        self.missing.setdefault(key, f"Dimension {shown!r} of input {name!r}")
        return 1

    def _fixed(self, extent: int, place: str, size: int | None, known: int | None) -> int:
        if size is not None and size != extent:
            raise InputError(f"The dimension {place} is {extent}, not {size}.")
        if extent == 0 and known is None:
            raise UnsupportedError(
                "a dimension is 0, so that it has no elements; if it stands for any size, "
                "set it to 1."
            )
        return extent

    def _is_batch(self, name: str | None, axis: int, rank: int) -> bool:
        if name in self.batches:
            return True
        return axis == 0 and rank > 1 and not _NO_BATCH.fullmatch(name or "")

    def check(self) -> None:
        """Nothing if every dimension has a size, and every size a dimension."""
        if self.missing:
            first, *others = self.missing.values()
            what = f"{first} has no size"
            more = f", and {len(others)} more have none." if others else "."
            options = " ".join(f"--dim {_quoted(name)}=SIZE" for name in self.missing)
            names = ", ".join(f"{name!r}: …" for name in self.missing)
            raise OpenDimensionError(
                what + more, hint=f"Give it: {options}, or tc.load(path, dims={{{names}}})."
            )
        unknown = [name for name in self.given if name not in self.used]
        if unknown:
            raise InputError(f"No input has an open dimension {unknown[0]!r}.")


def _quoted(name: str) -> str:
    """The name as a shell takes it."""
    return name if re.fullmatch(r"[\w.:-]+", name, re.ASCII) else f"'{name}'"
