"""Formulas with a known answer: the verdict beside the truth, and the kernel's time.

Run: python benchmarks/tameness.py [--all] [FOLDER], the folder with expressions.tsv and
activations.tsv, by default that of $TAMECHECK_DATA; or --random 1000 for random formulas whose
truth is known by construction, with the shortest ones of each kind that are not decided.
"""

import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from tame_grammar import formulas
from tame_truth import Score, score, summary, table

DATA = Path(os.environ.get("TAMECHECK_DATA", "../shared/data")) / "tame"


def print_counts(title: str, scores: Sequence[Score]) -> None:
    """One line on a list of formulas."""
    slowest = max(scores, key=lambda found: found.seconds)
    counts = ", ".join(f"{count} {word}" for word, count in summary(scores).items())
    kernel = Counter(found.kernel for found in scores if found.kernel)
    certificates = ", ".join(f"{count} {word}" for word, count in kernel.items())
    print(
        f"{title}: {len(scores)} formulas: {counts}; certificates: {certificates}, the slowest "
        f"{slowest.seconds:.3f} s of CPU ({slowest.row.text})\n"
    )


def print_random(count: int, seed: int, only: str) -> None:
    """Random formulas by kind."""
    drawn = [(f.kind, score(f.row)) for f in formulas(count, seed) if only in f.kind]
    for kind in dict.fromkeys(kind for kind, _ in drawn):
        scores = [found for name, found in drawn if name == kind]
        rest = sorted({str(s): len(s.row.text) for s in scores if s.word != "right"}.items())
        print(f"{kind}: {len(scores)}, {len(rest)} different ones not right")
        for line, _ in sorted(rest, key=lambda pair: pair[1])[:3]:
            print(f"    {line}")
    for _, found in drawn:
        if found.word in ("wrong", "error") or found.kernel == "invalid":
            print(f"!! {found}")
    print_counts(f"random, seed {seed}", [found for _, found in drawn])


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description="Formulas with a known answer.")
    parser.add_argument("folder", nargs="?", type=Path, default=DATA)
    parser.add_argument("--all", action="store_true", help="print right answers too")
    parser.add_argument("--random", type=int, default=0, help="how many random formulas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default="", help="only random formulas whose kind has this word")
    options = parser.parse_args()
    if options.random:
        print_random(options.random, options.seed, options.kind)
        return
    for name in ("expressions.tsv", "activations.tsv"):
        scores = [score(row) for row in table(options.folder / name)]
        for found in scores:
            if options.all or found.word != "right" or found.kernel != "valid":
                print(found)
        print_counts(name, scores)


if __name__ == "__main__":
    main()
