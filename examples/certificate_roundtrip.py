"""From a function to a certificate, to the kernel's verdict, and what a forgery gets.

``python examples/certificate_roundtrip.py``
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import tamecheck as tc


def main() -> None:
    """Certify a function, check the certificate, forge it, and see it rejected."""
    model = tc.expression("max(x, 0) * tanh(y) + clip(round(x), -1, 1)")
    answer = model.check()
    print(f"{model.loaded.where} is {answer.verdict.value}")

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "certificate.json"
        file.write_text(json.dumps(answer.certificate))
        report = tc.recheck(file.read_text())
        print(f"the kernel says: {report.verdict}, claim {json.dumps(report.claim)}")

        same = report.model_sha256 == model.graph.sha256
        print(f"it is about {'this' if same else 'another'} model, by the hash of the graph")

        forged = json.loads(file.read_text())
        forged["claim"]["structures"] = ["semilinear"]
        report = tc.recheck(json.dumps(forged))
        print(f"the forged claim is {report.verdict}: {report.why}")


if __name__ == "__main__":
    main()
