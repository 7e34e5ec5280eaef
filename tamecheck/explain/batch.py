"""Explanations of many inputs, by processes or by any executor of `concurrent.futures`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from tamecheck.errors import TamecheckError, TimeLimitError
from tamecheck.explain.answers import Kind
from tamecheck.explain.facade import RowExplainer
from tamecheck.explain.row_reader import origins_of
from tamecheck.solvers.executors import answers_in_turn

_CHUNKS = 8
"""Parts for each worker, so that a slow part does not keep the others waiting at the end."""


def explain_rows(  # noqa: PLR0913  # each by its name
    explainer: RowExplainer[Any, Any, Any],
    rows: Any,
    kind: Kind = "abductive",
    *,
    about: Sequence[Mapping[str, Any]] | None = None,
    workers: int = 1,
    executor: Any = None,
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """The JSON form of an explanation for each row, in order, each as soon as it is there.

    Parameters
    ----------
    explainer
        The network and its domain.
    rows
        Inputs in the model's own levels, or a pandas frame of rows of the table.
    kind, options
        As for `Explainer.explain`.
    about
        What stands in each answer of the row itself; its position if None, and in a frame the
        label of its index.
    workers
        Processes; 1 works in this one.
    executor
        What to give the work to instead: an executor of `concurrent.futures`, a Dask ``Client``, a
        ``joblib.Parallel``, or the module ``ray``.

    Notes
    -----
    Every row is explained by itself with the explainer's seed, so the answers do not depend on
    how the rows are shared out.  A row that fails has the single key ``error``.
    """
    named = [o.to_json() for o in origins_of(rows)] if about is None else list(about)
    if explainer.reader.encoded or hasattr(rows, "columns"):
        rows, explainer = list(explainer.reader.points(rows)), explainer.of_points()
    alone = executor is None and workers == 1
    size = 1 if alone else max(1, -(-len(rows) // (_CHUNKS * max(workers, 2))))
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    work = partial(_part, explainer, kind=kind, options=options)
    answers = chain.from_iterable(answers_in_turn(work, parts, workers=workers, executor=executor))
    for row, answer in zip(named, answers, strict=True):
        yield {**answer, **row}


def _part(
    explainer: RowExplainer[Any, Any, Any],
    rows: Sequence[Any],
    *,
    kind: Kind,
    options: dict[str, Any],
) -> list[dict[str, Any]]:
    return [_explain(explainer, row, kind, options) for row in rows]


def _explain(
    explainer: RowExplainer[Any, Any, Any], row: Any, kind: Kind, options: dict[str, Any]
) -> dict[str, Any]:
    try:
        found = explainer.explain(row, kind, **options)
    except TimeLimitError:
        return {"error": "out of time"}
    except TamecheckError as error:
        return {"error": str(error)}
    if found is None:
        return {"decision": explainer.decide(row), "features": None}
    return found.to_json()
