"""The largest value of a small network, and how far its inputs may be traded for it."""

import tamecheck as tc

MODEL = tc.expression("relu(x) - 2*relu(x - 0.2) + 3*relu(x - 0.6) - abs(y - x)")

highest = tc.maximise(MODEL, box="0:1")
lowest = tc.minimise(MODEL, box="0:1")
print(f"{highest.status}: at most {highest.value} at {', '.join(map(str, highest.x))}")
print(f"{lowest.status}: at least {lowest.value} at {', '.join(map(str, lowest.x))}")

walked = tc.relax_and_walk(MODEL, box="0:1", timeout=1)
print(f"walks alone: {walked.value}, no more than {float(walked.bound):.3f}")
