"""Explanations of many inputs, by processes or by any executor of `concurrent.futures`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import nullcontext
from typing import Any

from tamecheck.errors import InputError, TamecheckError
from tamecheck.explain.explainer import Explainer, Kind
from tamecheck.explain.search import OutOfTimeError

__all__ = ["explain_rows"]

_CHUNKS = 8
"""Parts for each worker, so that a slow part does not keep the others waiting at the end."""


def explain_rows(
    explainer: Explainer,
    rows: Sequence[Any],
    kind: Kind = "abductive",
    *,
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
        Inputs in the model's own levels.
    kind, options
        As for `Explainer.explain`.
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
    count = len(rows)
    if executor is None and workers == 1:
        for row in rows:
            yield _explained(explainer, row, kind, options)
        return
    if workers < 1:
        raise InputError(f"{workers} workers are none.")
    given = nullcontext(executor) if executor is not None else ProcessPoolExecutor(workers)
    with given as pool:
        size = max(1, -(-count // (_CHUNKS * max(workers, 2))))
        parts = [rows[at : at + size] for at in range(0, count, size)]
        submit: Any = pool.submit
        futures: list[Future[list[dict[str, Any]]]] = [
            submit(_part, explainer, part, kind, options) for part in parts
        ]
        try:
            for future in futures:
                yield from future.result()
        finally:
            for future in futures:
                future.cancel()


def _part(
    explainer: Explainer, rows: Sequence[Any], kind: Kind, options: dict[str, Any]
) -> list[dict[str, Any]]:
    return [_explained(explainer, row, kind, options) for row in rows]


def _explained(
    explainer: Explainer, row: Any, kind: Kind, options: dict[str, Any]
) -> dict[str, Any]:
    try:
        found = explainer.explain(row, kind, **options)
    except OutOfTimeError:
        return {"error": "out of time"}
    except TamecheckError as error:
        return {"error": str(error)}
    if found is None:
        return {"decision": explainer.decide(row), "features": None}
    return found.document()
