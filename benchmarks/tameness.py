"""Formulas with a known answer: the verdict beside the truth, and the kernel's time.

Run: python benchmarks/tameness.py [--all] [FOLDER], the folder with expressions.tsv and
activations.tsv, by default that of $TAMECHECK_DATA.
"""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from tame_truth import score, summary, table

DATA = Path(os.environ.get("TAMECHECK_DATA", "../shared/data")) / "tame"


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description="Formulas with a known answer.")
    parser.add_argument("folder", nargs="?", type=Path, default=DATA)
    parser.add_argument("--all", action="store_true", help="print right answers too")
    options = parser.parse_args()
    for name in ("expressions.tsv", "activations.tsv"):
        scores = [score(row) for row in table(options.folder / name)]
        for found in scores:
            if options.all or found.word != "right" or found.kernel != "valid":
                print(found)
        slowest = max(scores, key=lambda found: found.seconds)
        counts = ", ".join(f"{count} {word}" for word, count in summary(scores).items())
        valid = sum(found.kernel == "valid" for found in scores)
        print(
            f"{name}: {len(scores)} formulas: {counts}; {valid} valid certificates, the slowest "
            f"{slowest.seconds:.3f} s of CPU ({slowest.row.text})\n"
        )


if __name__ == "__main__":
    main()
