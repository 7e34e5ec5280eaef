"""Explanations of many inputs, by processes or by any executor of `concurrent.futures`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

from tamecheck.errors import InputError, TamecheckError, TimeLimitError
from tamecheck.explain.answers import Kind
from tamecheck.explain.explainer import Explainer
from tamecheck.explain.models import ModelExplainer
from tamecheck.explain.row_reader import origins_of
from tamecheck.solvers.processes import end_with_pool

_CHUNKS = 8
"""Parts for each worker, so that a slow part does not keep the others waiting at the end."""


def explain_rows(  # noqa: PLR0913  # each by its name
    explainer: Explainer | ModelExplainer,
    rows: Any,
    kind: Kind = "abductive",
    *,
    about: Sequence[Mapping[str, Any]] | None = None,
    workers: int = 1,
    executor: Executor | Any | None = None,
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
        What to give the work to instead: any object with ``submit`` that returns futures, such
        as a Dask ``Client``.

    Notes
    -----
    Every row is explained by itself with the explainer's seed, so the answers do not depend on
    how the rows are shared out.  A row that fails has the single key ``error``.
    """
    named = [o.to_json() for o in origins_of(rows)] if about is None else list(about)
    if explainer.reader.encoded or hasattr(rows, "columns"):
        rows, explainer = list(explainer.reader.points(rows)), explainer.of_points()
    part = partial(_part, explainer, kind=kind, options=options)
    for row, answer in zip(named, _answers(part, rows, workers, executor), strict=True):
        yield {**answer, **row}


def _answers(
    part: Callable[[Sequence[Any]], list[dict[str, Any]]],
    rows: Sequence[Any],
    workers: int,
    executor: Executor | Any | None,
) -> Iterator[dict[str, Any]]:
    """The answers about rows, in order."""
    count = len(rows)
    if executor is None and workers == 1:
        for at in range(count):
            yield from part(rows[at : at + 1])
        return
    if workers < 1:
        raise InputError(f"{workers} workers are none.")
    given = (
        nullcontext(executor)
        if executor is not None
        else ProcessPoolExecutor(workers, initializer=end_with_pool)
    )
    with given as pool:
        size = max(1, -(-count // (_CHUNKS * max(workers, 2))))
        parts = [rows[at : at + size] for at in range(0, count, size)]
        submit: Any = pool.submit
        futures: list[Future[list[dict[str, Any]]]] = [submit(part, some) for some in parts]
        try:
            for future in futures:
                yield from future.result()
        finally:
            for future in futures:
                future.cancel()


def _part(
    explainer: Explainer | ModelExplainer,
    rows: Sequence[Any],
    *,
    kind: Kind,
    options: dict[str, Any],
) -> list[dict[str, Any]]:
    return [_explain(explainer, row, kind, options) for row in rows]


def _explain(
    explainer: Explainer | ModelExplainer, row: Any, kind: Kind, options: dict[str, Any]
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
