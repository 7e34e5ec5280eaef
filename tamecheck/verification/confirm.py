"""Questions as users ask them: a proof that a search has found is heard with its kernel's word.

It is the one module of this package that knows kernels, and no search imports it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.ir.arguments import choice, path, seconds
from tamecheck.ir.floats import FLOATS
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.judge import UNLIMITED, has_many_splits, judge
from tamecheck.ir.spec import Specification
from tamecheck.ir.tensor import size_of
from tamecheck.loaders.text.vnnlib import read_vnnlib
from tamecheck.model import Model
from tamecheck.ops import RELU
from tamecheck.solvers.executors import judge_in_shares
from tamecheck.verification.answer import (
    CERTIFICATE,
    REAL,
    Answer,
    Arithmetics,
    Holds,
    Unknown,
)
from tamecheck.verification.joint import subject_of
from tamecheck.verification.rectify import BENT, bent_elements
from tamecheck.verification.rounding import declared, execution_of, in_floats
from tamecheck.verification.run import decide
from tamecheck.verification.split_pieces import BENDS, INPUTS
from tamecheck.verification.split_proofs import ATTEMPTS, SplitProofs, proofs_of
from tamecheck.verification.witness import Replay, Watch

if TYPE_CHECKING:
    from tamecheck.kernel import Report

Kernel = Callable[[str, int], "Report"]

_STEPS_A_SECOND = 12_000_000
"""Of the kernel, about half of what it takes."""
_LEAST, _PATIENCE = 10.0, 10
"""How much longer than the proof the search for its certificate may take, if nobody says."""
_MENDED = 32
"""How many parts may be split further because the kernel refuses them."""
_NO_TIME = "The kernel has no time for the certificate; 'tamecheck recheck' has."
_BEFORE = (
    " The certificate is about the network before its last op, or boxes that relations imply; "
    "'tamecheck recheck' with the model and --spec repeats that step."
)
_BEFORE_SPLITS, _ALONE, _FEW = 0.6, 30.0, 64
"""The share of the time, or the seconds, after which a network with few bends is left to splits."""
_PRODUCTS, _LEAST_NODES = 1 << 28, 256
"""Of a tree that is searched before bounds decide: nodes times parameters of the network."""
_ACCEPTED = "No input of the region is unsafe, by a certificate that the kernel accepts."
_NONE_FOUND = "No certificate was found in time."


def verify(  # noqa: PLR0913 (options, by keyword only)
    model: Model | Graph | Mapping[str, Model],
    spec: Specification | str | Path,
    *,
    timeout: float | None = None,
    seed: int = 0,
    replay: Replay | None = None,
    certify: bool = False,
    arithmetic: str | None = None,
    workers: int = 1,
) -> Answer:
    """Whether no input of the property's region is unsafe: a proof, an exact witness, or neither.

    Parameters
    ----------
    model
        The network, or its graph; or a mapping from the names that a VNN-LIB 2.0 property declares
        to networks.
    spec
        The property, or the path of its VNN-LIB file (``.vnnlib``, also ``.gz``).
    timeout
        Seconds; when they are over the answer is `Unknown`, as after Ctrl-C.
    seed
        Seed of the search for a violation.
    replay
        A float32 run of the network, to report whether it confirms a witness; by default that of
        the model's ONNX file, if there is one.
    certify
        Search for a certificate too where the property holds, in the time that is left; without a
        limit in ten times what the answer took.  One that the kernel accepts is what the answer
        rests on; ``note`` says why there is none.
    workers
        How many processes may look for an answer, and check shares of a large certificate.  The
        answer does not depend on it.

    Raises
    ------
    InputError
        If the property cannot be read, or does not fit the model.
    CertificateError
        If a search has written a proof that the kernel refuses: a defect of tamecheck.
    """
    budget = Budget.of(seconds(timeout))
    asked = spec if isinstance(spec, Specification) else read_vnnlib(path(spec, what="property"))
    if workers < 1:
        raise InputError(f"{workers} workers are none.")
    return answer_within(
        model, asked, budget, seed=seed, replay=replay, certify=certify, arithmetic=arithmetic,
        workers=workers,
    )  # fmt: skip


def answer_within(  # noqa: PLR0913 (options, by keyword only)
    model: Model | Graph | Mapping[str, Model],
    asked: Specification,
    budget: Budget,
    *,
    seed: int = 0,
    replay: Replay | None = None,
    certify: bool = False,
    arithmetic: str | None = None,
    workers: int = 1,
) -> Answer:
    """What `verify` answers within a budget, which Ctrl-C cancels: so no other search begins."""
    name = (
        declared(asked)
        if arithmetic is None
        else choice(arithmetic, (REAL, *FLOATS), what="arithmetic")
    )
    graph = subject_of(model, asked)[0]
    splits, limited = cache(partial(proofs_of, graph, asked)), budget.timeout is not None
    alone = _has_few_pieces(graph) and not isinstance(splits(), str)
    seconds_ = _BEFORE_SPLITS * budget.seconds if limited else _ALONE
    first = budget.part(seconds_) if alone else budget
    # where a certificate is asked for anyway, the search for it is that for a proof
    tree = partial(_by_tree, splits, workers) if certify and name == REAL else None
    found = decide(model, asked, first, seed=seed, replay=replay, workers=workers, prove=tree)
    if isinstance(found, Unknown) and alone and not budget.is_spent:
        found = _by_splits_alone(
            found, splits(), budget if limited else budget.part(_ALONE), workers
        )
        if isinstance(found, Unknown) and not limited and not budget.is_spent:
            found = decide(model, asked, budget, seed=seed, replay=replay, workers=workers)
    if not isinstance(found, Holds):
        return found
    try:
        found = in_floats(found, graph, asked, name or declared(asked), budget)
        if found.certificate is not None:
            shown = found.rests_on == CERTIFICATE
            return found if shown else checked_over_windows(found, budget)
        if not certify:
            return replace(found, note="")
        if found.note:  # why there is none
            return found
        limit = budget if limited else Budget.of(_PATIENCE * max(found.seconds, _LEAST))
        executed = _certified_in_floats(found, graph, asked, limit, workers)
        if executed is not None:
            return executed
        proofs = splits()
        if isinstance(proofs, str):
            return replace(found, note=f"No certificate: {proofs}.")
        return _by_splits(found, proofs, limit, workers)
    except KeyboardInterrupt:
        budget.cancelled.set()
        return replace(found, note="Interrupted before there was a certificate.")


def _has_few_pieces(graph: Graph) -> bool:
    """Whether splits have a part of the time: a network is small, and smaller without jumps.

    Boxes do not end where one with jumps touches the property, and its pieces are many more than
    the programs that a certificate is found by.
    """
    jumps = any(isinstance(node, Apply) and node.op in BENT - {RELU} for node in graph.nodes)
    inputs = sum(map(size_of, graph.inputs.values()))
    return inputs <= INPUTS and bent_elements(graph) <= (BENDS if jumps else _FEW)


def _by_splits_alone(
    unknown: Unknown, proofs: SplitProofs | str, limit: Budget, workers: int
) -> Holds | Unknown:
    """That a property holds, by a certificate that the kernel accepts; else what was known."""
    if isinstance(proofs, str):
        return unknown
    started = time.monotonic()
    guess = Holds("a tree of splits", _ACCEPTED, unknown.seconds, unknown.facts)
    try:
        found = _by_splits(guess, proofs, limit, workers)
    except KeyboardInterrupt:
        limit.cancelled.set()
        return replace(unknown, reason="interrupted", out_of_time=False)
    answer = unknown if found.rests_on != CERTIFICATE else found
    return replace(answer, seconds=unknown.seconds + time.monotonic() - started)


def _by_tree(
    splits: Callable[[], SplitProofs | str], workers: int, budget: Budget, watch: Watch
) -> Holds | None:
    """That a property holds, by a certificate that the kernel accepts, if its tree is not large."""
    proofs = splits()
    if isinstance(proofs, str):
        return None
    # counted, so that the same question has the same answer on a machine that is busy
    nodes = max(_PRODUCTS // max(proofs.graph.parameters, 1), _LEAST_NODES)
    guess = Holds("a tree of splits", _ACCEPTED, 0.0, {})
    found = _by_splits(guess, proofs, replace(budget, nodes=nodes), workers, watch)
    return found if found.rests_on == CERTIFICATE else None


def steps_in(budget: Budget) -> int:
    """How many steps a kernel may take in the time that is left."""
    left = budget.seconds
    return UNLIMITED if left == float("inf") else int(max(left, 1.0) * _STEPS_A_SECOND)


def accepts(kernel: Kernel, certificate: Mapping[str, Any], steps: int = UNLIMITED) -> bool:
    """Whether a kernel accepts a proof in so many steps.

    Raises
    ------
    CertificateError
        If it refuses it: a defect of tamecheck.
    """
    return judge(kernel, json.dumps(certificate, allow_nan=False), steps).verdict == "valid"


def checked_over_windows(found: Holds, budget: Budget) -> Holds:
    """The answer of a search that wrote a certificate itself, once the kernel has read it."""
    from tamecheck.kernel_bnn import check_region

    certificate = found.certificate or {}
    if accepts(check_region, certificate, steps_in(budget)):
        return replace(found, rests_on=CERTIFICATE, checked=CERTIFICATE)
    return replace(found, note=_NO_TIME)


def _certified_in_floats(
    found: Holds, graph: Graph, spec: Specification, limit: Budget, workers: int
) -> Holds | None:
    """The answer with a certificate of every execution in the arithmetic that is asked about.

    It is one of real numbers too.
    """
    told = found.arithmetic
    executed = execution_of(graph, spec, told.declared) if told.rests_on or told.near else None
    if executed is None:
        return None
    half, arithmetic = limit.part(limit.seconds / 2), FLOATS[told.declared]
    proofs = proofs_of(graph, executed.spec, arithmetic)
    tried = found if isinstance(proofs, str) else _by_splits(found, proofs, half, workers)
    if tried.certificate is None:
        return None
    # one that the kernel has no time for shows no more than bounds have
    shown = tried.rests_on == CERTIFICATE
    covered = Arithmetics(told.declared, told.declared, "", CERTIFICATE)
    return replace(tried, arithmetic=covered if shown else told)


def _by_splits(
    found: Holds, proofs: SplitProofs, limit: Budget, workers: int, watch: Watch | None = None
) -> Holds:
    """The answer with a certificate of the proofs that are to be found, if one is found in time.

    With a watch there is no answer yet: it may end the search, and as much time is left for another
    one as this has taken.
    """
    from tamecheck.kernel_pwl import check

    for slack in ATTEMPTS[: None if watch is None else 1]:
        # the answer is to be said in time, whatever becomes of the certificate
        part, started = limit.part(limit.seconds / (2 if watch is None else 3)), time.monotonic()
        if not proofs.find(part, slack=slack, watch=watch):
            if part.is_spent:
                break
            continue
        if watch is not None:
            limit = limit.part(limit.seconds - (time.monotonic() - started))
        for _ in range(_MENDED):
            certificate = proofs.certificate()
            text = json.dumps(certificate)
            shared = workers if has_many_splits(text) else 1
            report = judge_in_shares(check, text, steps_in(limit), shared)
            if report.verdict == "valid":
                reason = found.reason + (_BEFORE if proofs.before_last else "")
                found = replace(found, reason=reason, certificate=certificate)
                return replace(found, rests_on=CERTIFICATE, checked=CERTIFICATE)
            if report.verdict == "incomplete":
                return replace(found, certificate=certificate, note=_NO_TIME)
            half = limit.part(limit.seconds / 2)
            if report.step is None or not proofs.mend(report.step, half):
                break
    return replace(found, note=_NONE_FOUND)
