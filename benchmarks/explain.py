"""Explanations of binarized networks of digits: times, and every answer validated.

    TAMECHECK_DATA=FOLDER OMP_NUM_THREADS=1 python benchmarks/explain.py [--points 50] [--large 10]

Networks of 64-32-16-10 on thresholded 8x8 digits, and of 784-64-10 on mnist_5k, by several seeds
and both estimators.  Every reason is asked of z3, which stops with an error where it disagrees, and
filled up at random; the witness of every contrast is evaluated.  Times are CPU seconds.  A table is
explained by one worker and by two, and in two parts.
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from learn import digits, mnist

from tamecheck.binarized import ThresholdNetwork, recognise
from tamecheck.explain import Explainer
from tamecheck.explain.batch import explain_rows
from tamecheck.explain.search import second_opinion
from tamecheck.learn import SteBinarizedClassifier, TameBinarizedClassifier

Array = npt.NDArray[Any]
_BLOCK = 10_000
KINDS: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("straight-through, real", SteBinarizedClassifier, {}),
    ("straight-through, +-1", SteBinarizedClassifier, {"weights": "binary"}),
    ("tame, real", TameBinarizedClassifier, {}),
)


def trained(
    table: tuple[Array, Array], hidden: tuple[int, ...], maker: Any, seed: int, **options: Any
) -> tuple[ThresholdNetwork, Array]:
    """A network trained on three quarters of the rows, and the other rows."""
    rows, labels = table
    order = np.random.default_rng(seed).permutation(len(rows))
    left, held = np.split(order, [3 * len(rows) // 4])
    model = maker(hidden, epochs=40, random_state=seed, **options).fit(rows[left], labels[left])
    network = recognise(model.to_model().graph, [(-1, 1)] * rows.shape[1])
    return network, rows[held].astype(np.int8)


def filled(network: ThresholdNetwork, row: Array, kept: tuple[int, ...], count: int) -> int:
    """How many of so many random completions have another class."""
    rng = np.random.default_rng(0)
    decision = network.decide(row[np.newaxis])[0]
    errors = 0
    for _ in range(0, count, _BLOCK):
        rows = rng.choice(np.array([-1, 1], dtype=np.int8), (_BLOCK, len(row)))
        rows[:, list(kept)] = row[list(kept)]
        errors += int((network.decide(rows) != decision).sum())
    return errors


def reasons(name: str, network: ThresholdNetwork, rows: Array, args: argparse.Namespace) -> None:
    """Print times and errors of subset-minimal reasons."""
    explainer = Explainer(network)
    seconds: list[float] = []
    sizes: list[int] = []
    minimal = agreed = asked = errors = 0
    for row in rows:
        started = time.process_time()
        found = explainer.abductive(row, timeout=args.limit)
        seconds.append(time.process_time() - started)
        sizes.append(found.size)
        minimal += found.minimal
        errors += filled(network, row, found.features, args.completions)
        if args.z3:
            asked += 1
            domain = explainer.domain
            said = second_opinion(
                network,
                domain,
                domain.codes(row),
                domain.covering(found.features),
                seconds=args.z3,
            )
            agreed += said == "agrees"
    print(
        f"{name:44} reason    median {median(seconds):6.3f} s  worst {max(seconds):6.3f} s  "
        f"size {median(sizes):5.0f}  minimal {minimal}/{len(rows)}  z3 agrees {agreed}/{asked}  "
        f"random completions {args.completions} each, errors {errors}",
        flush=True,
    )


def contrasts(name: str, network: ThresholdNetwork, rows: Array) -> None:
    """Print times and errors of smallest contrasts."""
    explainer = Explainer(network)
    seconds: list[float] = []
    sizes: list[int] = []
    errors = 0
    for row in rows:
        started = time.process_time()
        found = explainer.contrastive(row)
        seconds.append(time.process_time() - started)
        if found is None:
            continue
        point = np.array([int(v) for v in found.witness], dtype=np.int8)
        changed = np.flatnonzero(point != row)
        errors += tuple(changed.tolist()) != found.features
        errors += int(network.decide(point[np.newaxis])[0]) != found.other
        sizes.append(found.size)
    print(
        f"{name:44} contrast  median {median(seconds):6.3f} s  worst {max(seconds):6.3f} s  "
        f"size {median(sizes):5.1f}  witnesses evaluated {len(sizes)}, errors {errors}",
        flush=True,
    )


def table(network: ThresholdNetwork, rows: Array, count: int) -> None:
    """Print wall times of a table by one and two workers, and compare the bytes."""
    explainer = Explainer(network)
    many = [rows[k % len(rows)] for k in range(count)]
    texts: list[str] = []
    walls: list[float] = []
    for workers in (1, 2):
        started = time.perf_counter()
        answers = list(explain_rows(explainer, many, workers=workers))
        walls.append(time.perf_counter() - started)
        texts.append(json.dumps(answers, sort_keys=True))
    kept = list(explain_rows(explainer, many[: count // 3], workers=2))
    kept += explain_rows(explainer, many[len(kept) :], workers=2)
    texts.append(json.dumps(kept, sort_keys=True))
    print(
        f"{count} explanations: 1 worker {walls[0]:.1f} s, 2 workers {walls[1]:.1f} s, "
        f"{walls[0] / walls[1]:.2f} times as fast; same bytes: {len(set(texts)) == 1}",
        flush=True,
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--large", type=int, default=10)
    parser.add_argument("--table", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--z3", type=float, default=60.0, help="seconds for each; 0 asks nothing")
    parser.add_argument("--completions", type=int, default=100_000)
    args = parser.parse_args()
    small = digits()
    for seed in range(args.seeds):
        for kind, maker, options in KINDS:
            network, held = trained(small, (32, 16), maker, seed, **options)
            name = f"64-32-16-10 {kind}, seed {seed}"
            reasons(name, network, held[: args.points], args)
            contrasts(name, network, held[: args.points])
            if not seed and maker is TameBinarizedClassifier and args.table:
                table(network, held, args.table)
    if not args.large:
        return
    large = mnist()
    for kind, maker, options in KINDS:
        network, held = trained(large, (64,), maker, 0, **options)
        reasons(f"784-64-10 {kind}", network, held[: args.large], args)


if __name__ == "__main__":
    main()
