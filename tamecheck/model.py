"""A loaded model: the object that users hold, with one method a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.evaluate import exact_values, float_values
from tamecheck.ir import arguments
from tamecheck.ir.answer import Readable
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.loaded import Loaded
from tamecheck.loaders.outputs import write_text
from tamecheck.tame import Check, check
from tamecheck.tame.confirm import confirm

if TYPE_CHECKING:
    from tamecheck.cells import Complex
    from tamecheck.cells.formulas import FormulaCells
    from tamecheck.derivative import JacobianSet
    from tamecheck.derivative.jacobian import Kind
    from tamecheck.encode.symbolic import Symbolic
    from tamecheck.explain import DecisionRules
    from tamecheck.explain.answers import Kind as Explanation
    from tamecheck.ir.spec import Specification
    from tamecheck.loaders.tables.schema import Schema
    from tamecheck.verification import Answer
    from tamecheck.verification.answer import Optimum


@dataclass(frozen=True, eq=False, repr=False)
class Model(Readable):
    """An exact function that was read from a file, an expression or another library.

    Parameters
    ----------
    loaded
        The graph, and where it came from.
    """

    loaded: Loaded

    @property
    def graph(self) -> Graph:
        """The exact graph of primitive ops."""
        return self.loaded.graph

    @property
    def inputs(self) -> dict[str, Shape]:
        """The inputs' names and shapes, in order."""
        return self.graph.inputs

    @property
    def outputs(self) -> dict[str, Shape]:
        """The outputs' names and shapes, in order."""
        return {name: self.graph.nodes[node].shape for name, node in self.graph.outputs}

    @property
    def schema(self) -> Schema | None:
        """What the inputs are made of: columns of a table, statements about them, groups.

        It stands in ``MODEL.features.json`` beside a model of ``tamecheck train``, or in the
        metadata of an ONNX file, or is that of an estimator; None if it is not known.

        Raises
        ------
        InputError
            If that file or the metadata is damaged, or belongs to another model.
        """
        from tamecheck.loaders.tables.schema_file import schema_of

        return schema_of(self.loaded)

    def check(
        self,
        box: Box | Mapping[str, Any] | str | None = None,
        *,
        timeout: float | None = None,
        seed: int = 0,
    ) -> Check:
        """The o-minimal structure in which the function is definable.

        The kernel has checked the certificate of the answer.

        Parameters
        ----------
        box
            The domain: a `Box`, text as in ``--box`` (``"x=-1:1,y=0:inf"``, or ``"-1:1"`` for
            all inputs), a mapping of input names to ``(lower, upper)``, such pairs in the order of
            the inputs, or None for all of the input space.
        timeout
            Seconds; when they are over, the answer is unknown.  The kernel's check of a certificate
            that was found by then is not cut short.
        seed
            Seed of the searches for witnesses.

        Raises
        ------
        InputError
            If the box does not fit the inputs.
        """
        return confirm(check(self.graph, self.box(box), timeout=timeout, seed=seed))

    def box(self, box: Box | Mapping[str, Any] | str | None) -> Box:
        """The box that `check` would use; see there."""
        from tamecheck.loaders.text.box import box_of_value

        return box_of_value(box, self.inputs)

    def evaluate(self, *arrays: Any, exact: bool = False) -> Array | tuple[Array, ...]:
        """The outputs at a point.

        Parameters
        ----------
        arrays
            One an input, in order, of the input's shape (or with the same number of elements).
        exact
            If true, elements are exact rationals (`fractions.Fraction`), or rigorous balls
            (`flint.arb`) where no rational value exists; else float64.

        Returns
        -------
        Array or tuple of arrays
            The one output, or all of them in order.

        Raises
        ------
        InputError
            If the number or the shape of the arrays does not fit.
        DomainError
            If the function has no value there.
        """
        if len(arrays) != len(self.inputs):
            raise InputError(f"The model takes {len(self.inputs)} inputs, not {len(arrays)}.")
        point = {
            name: _shaped(name, shape, array, exact=exact)
            for (name, shape), array in zip(self.inputs.items(), arrays, strict=True)
        }
        found = exact_values(self.graph, point) if exact else float_values(self.graph, point)
        values = tuple(found[name] for name in self.outputs)
        return values[0] if len(values) == 1 else values

    def cells(self, box: Box | Mapping[str, Any] | str) -> Complex | FormulaCells:
        """The exact cells of the function on a bounded box.

        Those of a piecewise linear function are a polyhedral complex, each with its affine map.
        Any other function has `tamecheck.cells.formulas.FormulaCells`: open sets given by signs of
        formulas, each with a formula of every output.

        Raises
        ------
        UnsupportedError
            Listing every node that has no formula.
        InputError
            If the box does not fit the inputs or is unbounded.
        """
        from tamecheck.cells import cells
        from tamecheck.cells.formulas import formula_cells
        from tamecheck.errors import UnsupportedError

        try:
            return cells(self.graph, self.box(box))
        except UnsupportedError:
            return formula_cells(self.graph, self.box(box))

    def jacobian(self, at: Mapping[str, Any] | Sequence[Any], kind: Kind = "clarke") -> JacobianSet:
        """The exact set of Jacobians at a rational point; see `tamecheck.derivative.jacobian`.

        Parameters
        ----------
        at
            An array for each input's name, or the elements of all inputs in one row.
        kind
            ``"clarke"``, ``"bouligand"`` or ``"conservative"``.
        """
        from tamecheck.derivative import jacobian

        return jacobian(self.graph, at, kind)

    def gradient(self, points: Any) -> Array:
        """One conservative Jacobian for each row of points, in float64.

        Parameters
        ----------
        points
            One point a row, its elements those of all inputs in order.

        Returns
        -------
        array
            Of shape ``(rows, outputs, inputs)``; the middle axis is left out for a single output.
        """
        from tamecheck.derivative import gradient

        return gradient(self.graph, points)

    # --- what the rooms above answer ------------------------------------------------------------

    def verify(self, spec: Specification | str | Path, **options: Any) -> Answer:
        """Whether a property, of a ``.vnnlib`` file, holds on its region; `tamecheck.verify`."""
        import tamecheck

        return tamecheck.verify(self, spec, **options)

    def maximise(self, box: Box | Mapping[str, Any] | str, **options: Any) -> Optimum:
        """The largest value of an output on a box, with a proved bound; `tamecheck.maximise`."""
        import tamecheck

        return tamecheck.maximise(self, box=box, **options)

    def minimise(self, box: Box | Mapping[str, Any] | str, **options: Any) -> Optimum:
        """The smallest value of an output on a box, with a proved bound; `tamecheck.minimise`."""
        import tamecheck

        return tamecheck.minimise(self, box=box, **options)

    def explain(
        self,
        x: Any,
        kind: Explanation = "abductive",
        domain: Sequence[Any] | None = None,
        **options: Any,
    ) -> Any:
        """An explanation of the decision at a point; see `tamecheck.Explainer`.

        The domain is the two levels of each input; ``box=`` is for other inputs.  Options are those
        of the `Explainer` and those of its method named ``kind``.
        """
        import tamecheck

        explainer = tamecheck.Explainer
        own = set(signature(explainer.__init__).parameters) & set(options)
        made = explainer(self, domain, **{name: options.pop(name) for name in own})
        return made.explain(x, kind, **options)

    def rules(self, domain: Any = None, **options: Any) -> DecisionRules:
        """Exact rules for the decisions of a binarized network; see `tamecheck.get_rules`."""
        import tamecheck

        return tamecheck.get_rules(self, domain, **options)

    def report(
        self,
        path: str | Path,
        box: Box | Mapping[str, Any] | str | None = None,
        *,
        timeout: float = 120.0,
        seed: int = 0,
    ) -> None:
        """Write a ``.html`` file with what is known of the model within a number of seconds.

        The box is that of `check`.  ``tamecheck report`` has more options.
        """
        import tamecheck

        deadline, where = Budget.of(timeout), str(self.loaded.where)
        found = self.check(box, timeout=timeout / 4, seed=seed)
        about = tamecheck.report.subject_of(self, found, title=where, schema=self.schema, seed=seed)
        made = tamecheck.report.make_report(about, argument=where, seconds=deadline.seconds)
        write_text(arguments.path(path), made.html)

    def plot(self, box: Any, kind: str = "field", ax: Any = None, **options: Any) -> Any:
        """Draw the model on a bounded box by matplotlib; the axes.

        Parameters
        ----------
        box
            A box with one or two sides of positive width; see `check`.
        kind
            ``"field"``, ``"cells"``, ``"decision"`` or ``"surface"``.
        ax
            Axes to draw on; new ones if None.
        options
            ``output``, ``names``, ``units``, and those of the functions of
            `tamecheck.plots`.
        """
        import tamecheck

        return tamecheck.plots.model_axes(self.graph, self.box(box), kind, ax, **options)

    def to_smtlib(self, box: Box | Mapping[str, Any] | str | None = None) -> str:
        """The formula ``y = f(x)`` as an SMT-LIB 2 script, with conditions for x in a box.

        Raises
        ------
        UnsupportedError
            Listing every node with a transcendental function or a computed index.
        """
        from pysmt.environment import Environment

        from tamecheck.encode.symbolic import smt_graph

        return smt_graph(self.graph, self.box(box), environment=Environment()).text()

    def to_sympy(self, box: Box | Mapping[str, Any] | str | None = None) -> Symbolic:
        """The function as sympy expressions: a `Piecewise` of cells on a box, else op by op.

        Without a box, or where the model is not piecewise linear, every kink is a `Piecewise` of
        its own inside the expression.

        Raises
        ------
        UnsupportedError
            Listing every node with an index that is computed from the inputs.
        """
        from tamecheck.cells import cells
        from tamecheck.encode.symbolic import symbolic_cells, symbolic_graph

        if box is None or not self._piecewise_linear():
            return symbolic_graph(self.graph)
        return symbolic_cells(cells(self.graph, self.box(box)))

    def _piecewise_linear(self) -> bool:
        from tamecheck.cells.reading import steps_of
        from tamecheck.errors import UnsupportedError

        try:
            steps_of(self.graph)
        except UnsupportedError:
            return False
        return True

    def save(self, path: str | Path) -> None:
        """Write the model as JSON (``.json`` or ``.json.gz``); see docs/json-schema.md."""
        from tamecheck.loaders.json_model import write_graph

        write_graph(self.graph, arguments.path(path))

    def __str__(self) -> str:
        inputs = ", ".join(f"{name}{list(shape)}" for name, shape in self.inputs.items())
        outputs = ", ".join(f"{name}{list(shape)}" for name, shape in self.outputs.items())
        return (
            f"{self.loaded.where}: {inputs} -> {outputs}, "
            f"{len(self.graph.nodes)} nodes, {self.graph.parameters} parameters"
        )


def _shaped(name: str, shape: Shape, array: Any, *, exact: bool) -> Array:
    what = f"input {name!r}"
    kept = arguments.is_numeric(array)
    read = arguments.rationals if exact and not kept else arguments.float_array
    values = cast("Array", array) if kept else read(array, what=what)
    if values.shape == shape:
        return values
    if values.size != int(np.prod(shape)):
        raise InputError(f"Input {name!r} has shape {shape}, not {values.shape}.")
    return values.reshape(shape)


def load(
    path: str | Path,
    *,
    given: Mapping[str, Any] | None = None,
    dims: Mapping[str, int] | None = None,
    replay: bool = False,
) -> Model:
    """Read a model file: ``.onnx`` or ``.json``, each also ``.gz``.

    Parameters
    ----------
    path
        The file.
    given
        Values for those inputs of an ONNX model that decide the shape of a result (the ``axes``
        of a reduction, say); the model is then read for these values.
    dims
        Sizes of the open dimensions of an ONNX model, by name: ``{"w": 28}``, or ``{"x[2]": 28}``
        for one without a name.  A batch needs no size; it is then 1.
    replay
        Whether to compare what was read with onnxruntime, at random points on several scales.

    Raises
    ------
    InputError
        If the file is missing, too large or malformed, or cannot be replayed.
    UnsupportedError
        If the model uses operators that tamecheck does not read; all are listed.  If onnxruntime
        computes another function; the output and the difference are named.
    """
    from tamecheck.loaders import load as load_file

    named = arguments.mapping({} if given is None else given, what="given values")
    values = {
        name: arguments.values(value, what=f"input {name!r}") for name, value in named.items()
    }
    sizes = {
        name: arguments.natural(size, what=f"dimension {name!r}")
        for name, size in arguments.mapping({} if dims is None else dims, what="dims").items()
    }
    return Model(load_file(arguments.path(path), given=values, dims=sizes, replay=replay))


def expression(text: str) -> Model:
    """Read an expression such as ``max(x, 0) - 3*sign(y)``; see docs/expressions.md.

    Raises
    ------
    InputError
        With the position of the first thing that is wrong.
    """
    from tamecheck.loaders.text.expression import parse_expression

    return Model(parse_expression(arguments.instance(text, str, what="expression")))


def from_torch(module: Any, example: Any) -> Model:
    """Translate a PyTorch module in evaluation mode, and compare it with what was read.

    See `tamecheck.loaders.torch.module.from_torch` for the parameters and errors.
    """
    from tamecheck.loaders.torch.module import from_torch as translate

    return Model(translate(module, example))


def from_sklearn(estimator: Any, method: str = "") -> Model:
    """Translate a fitted scikit-learn estimator or pipeline, and compare it with what was read.

    Parameters
    ----------
    estimator
        The fitted estimator.  The input ``x`` is one row of its features.
    method
        ``predict``, ``decision_function``, ``predict_proba`` or ``transform``, if only this is
        asked.  Without it a regressor has the output ``value``; a classifier has ``decision`` (its
        decision function where it has one, else its probabilities) and ``label``, the index of the
        class in ``classes_``; what only transforms has ``y``.

    Raises
    ------
    InputError
        If it is no estimator of scikit-learn, is not fitted, or has no such method.
    UnsupportedError
        Listing every estimator that is not read; or naming the output in which the estimator
        differs from what was read.
    """
    from tamecheck.loaders.sklearn.model import from_sklearn as translate

    return Model(translate(estimator, method))
