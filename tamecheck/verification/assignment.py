"""The variables of a VNN-LIB 2.0 query with their values, as the standard prints and stores them.

The standard: Antony et al., VNN-LIB 2.0 (2025), chapter "Command-line Interface".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational_text
from tamecheck.ir.spec import Specification, TensorName
from tamecheck.ir.tensor import size_of
from tamecheck.verification.answer import Answer, Holds, Unknown, Violated, Witness, float_text

_DTYPES = {
    "float16": np.float16,
    "float32": np.float32,
    "float64": np.float64,
    **{f"{sign}int{bits}": np.dtype(f"{sign}int{bits}").type
       for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assigned:
    """A declared tensor and its elements in C order: rationals, or texts of rigorous balls."""

    tensor: TensorName
    values: tuple[Fraction | str, ...]

    def texts(self) -> list[str]:
        """The elements as decimal numbers."""
        if self.tensor.ends is not None:
            least, most = self.tensor.ends
            for value in self.values:
                if isinstance(value, str) or value.denominator != 1 or not least <= value <= most:
                    told = value if isinstance(value, str) else rational_text(value)
                    raise InputError(
                        f"{self.tensor.name} is declared {self.tensor.element_type}, but {told} is "
                        "an element where the query is satisfied.",
                        hint="Declare it real.",
                    )
            return [str(value) for value in self.values]
        return [float_text(value) for value in self.values]

    def to_json(self) -> dict[str, object]:
        """The type, the shape and the exact elements."""
        return {
            "type": self.tensor.element_type,
            "shape": list(self.tensor.shape),
            "values": [v if isinstance(v, str) else rational_text(v) for v in self.values],
        }


def query_status(answer: Answer) -> str:
    """The first line of the answer: ``sat``, ``unsat``, ``unknown`` or ``timed-out``."""
    match answer:
        case Holds():
            return "unsat"
        case Violated():
            return "sat"
        case Unknown(out_of_time=late):
            return "timed-out" if late else "unknown"


def assignment_of(spec: Specification, witness: Witness) -> tuple[Assigned, ...]:
    """The variables in the order in which the query declares them."""
    inputs, outputs = iter(witness.inputs), iter(witness.outputs)

    def take(tensor: TensorName, values: Iterator[Fraction | str]) -> Assigned:
        return Assigned(tensor, tuple(next(values) for _ in range(size_of(tensor.shape))))

    return tuple(
        take(tensor, values)
        for network in spec.networks
        for tensors, values in ((network.inputs, inputs), (network.hidden, outputs),
                                (network.outputs, outputs))
        for tensor in tensors
    )  # fmt: skip


def assignment_text(assigned: tuple[Assigned, ...]) -> str:
    """A line ``name type [shape]`` for each variable, then its elements, one a line."""
    return "".join(
        f"{one.tensor.name} {one.tensor.element_type} [{','.join(map(str, one.tensor.shape))}]\n"
        + "".join(f"{text}\n" for text in one.texts())
        for one in assigned
    )


def assignment_files(assigned: tuple[Assigned, ...]) -> Mapping[str, bytes]:
    """For each variable the file ``name.pb`` with an ONNX tensor of its type; reals are float64."""
    from onnx import numpy_helper

    files: dict[str, bytes] = {}
    for one in assigned:
        kind = _DTYPES.get(one.tensor.element_type.lower(), np.float64)
        numbers = [float(text) if not one.tensor.integral else int(text) for text in one.texts()]
        with np.errstate(over="ignore"):
            array = np.array(numbers, dtype=object).astype(kind).reshape(one.tensor.shape)
        proto = numpy_helper.from_array(np.asarray(array), one.tensor.name)
        proto.doc_string = "tamecheck:assignment"
        files[f"{one.tensor.name}.pb"] = proto.SerializeToString(deterministic=True)
    return files
