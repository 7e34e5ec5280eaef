"""Training a small binarised network as a mixed-integer program, and its dual functions.

A script in cells: run it as a whole, or cell by cell in an editor that knows ``# %%``.
"""

# %% The program whose optimum is the least number of mistakes on XOR
from fractions import Fraction

import tamecheck as tc
from tamecheck.duality.training import pair_tameness, sensitivities, training_program


def main() -> None:
    """Run the example."""
    square = [(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)]
    xor = [0, 1, 1, 0]
    one = training_program(square, xor, hidden=(1,))
    two = training_program(square, xor, hidden=(2,))
    print(f"two hidden neurons: {len(two.program.rows)} rows, {len(two.program.columns)} variables")

    # %% A dual function of each: a bound for every right-hand side, strong at this one
    for training in (one, two):
        dual = tc.dual(training.program, method="tree")
        print(dual)
        for name, item in dual.checks.items():
            print(f"  {name:12} {item.status}: {item.why}")

    # %% What a perturbation of the samples' pre-activations does to the bound
    dual = tc.dual(one.program, method="tree")
    for sample, slopes in enumerate(sensitivities(one, dual)["samples"]):
        print(f"sample {sample}: slope {', '.join(map(str, slopes))} by layer")

    # %% Program and dual are definable in one o-minimal structure
    pair = pair_tameness(one, dual)
    print({name: pair[name] for name in ("verdict", "structure", "locally_lipschitz", "rests_on")})

    # %% The value function of the loss along one row: constant where the program is feasible
    row = "fire.0.1.0"
    value = tc.dual(one.program, method="value")
    own = dict(zip(value.form.names, value.form.right, strict=True))[row]
    shift = dict(zip(value.form.names, value.form.shift, strict=True))[row]
    pieces = value.along(row, own + shift - 1, own + shift + Fraction(1, 2))
    for piece in pieces.pieces:
        print(f"loss {piece.intercept} (slope {piece.slope}) from {piece.lower} to {piece.upper}")


if __name__ == "__main__":
    main()
