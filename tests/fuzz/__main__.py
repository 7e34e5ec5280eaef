"""``python -m tests.fuzz SECONDS [SEED]`` fuzzes all readers in turn and says what it found."""

import sys
import tempfile
import time
import warnings
from pathlib import Path

from .limits import fuzz
from .readers import READERS

ROUND = 400


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    warnings.simplefilter("ignore")
    until = time.monotonic() + float(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 10**6
    files, refused, wrong = (dict.fromkeys(READERS, 0) for _ in range(3))
    slowest = dict.fromkeys(READERS, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < until:
            for name, reader in READERS.items():
                turn = time.monotonic() + 10
                count = fuzz(
                    name,
                    reader,
                    Path(folder),
                    lambda n, turn=turn: n < ROUND and time.monotonic() < min(turn, until),
                    first,
                )
                files[name] += count.files
                refused[name] += count.refused
                wrong[name] += len(count.wrong)
                slowest[name] = max(slowest[name], count.slowest)
                for seed, why in count.wrong:
                    say(f"{seed}: {why}")
            first += ROUND
    for name in READERS:
        say(
            f"{name:14}{files[name]:>9} files {refused[name]:>9} refused "
            f"{wrong[name]:>4} wrong  slowest {slowest[name]:.2f} s"
        )
    say(f"{sum(files.values())} files, {sum(wrong.values())} wrong")


if __name__ == "__main__":
    main()
