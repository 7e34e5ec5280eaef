"""Start-up and the main job beside a bare ``onnx.load``, each in a process of its own.

    python benchmarks/start.py MODEL.onnx [MODEL.onnx ...]

Prints medians of five runs: CPU seconds of the start, and wall seconds of loading with onnx alone,
of ``check`` with a certificate, and of ``recheck``, with the ratio of ``check`` to loading.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5


def timed(command: list[str]) -> tuple[float, float]:
    """Median wall and CPU seconds of a command."""
    wall, cpu = [], []
    for _ in range(RUNS):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(wall), statistics.median(cpu)


def tamecheck(*arguments: str) -> list[str]:
    """The command line of this interpreter's tamecheck."""
    return [sys.executable, "-m", "tamecheck", *arguments]


def main() -> None:
    """Time the start, then each model."""
    print(f"import tamecheck  {timed([sys.executable, '-c', 'import tamecheck'])[1]:.3f} s CPU")
    print(f"tamecheck --help  {timed(tamecheck('--help'))[1]:.3f} s CPU")
    with tempfile.TemporaryDirectory() as folder:
        certificate = str(Path(folder, "certificate.json"))
        for model in sys.argv[1:]:
            load = f"import onnx; onnx.load({model!r})"
            alone = timed([sys.executable, "-c", load])[0]
            check = timed(tamecheck("check", "-q", model, "-o", certificate))[0]
            again = timed(tamecheck("recheck", "-q", certificate))[0]
            print(
                f"{model}  load {alone:.2f} s  check {check:.2f} s ({check / alone:.1f}x)", end=""
            )
            print(f"  recheck {again:.2f} s")


if __name__ == "__main__":
    main()
