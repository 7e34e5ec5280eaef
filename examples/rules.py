"""From a table to rules in its own words: python examples/rules.py.

Trains a small binarized network on a table of applicants that is made here, writes what it decides
as rules over the whole domain, shows its neurons, and counts the classes under a condition.
"""

import numpy as np
from sklearn.pipeline import make_pipeline

import tamecheck as tc
from tamecheck.explain import count, network_logic, network_of
from tamecheck.learn import Binariser, SteBinarizedClassifier


def main() -> None:
    """Run the example."""
    rng = np.random.default_rng(0)
    rows = np.empty((200, 3), dtype=object)
    rows[:, 0] = rng.integers(18, 80, 200).astype(float)
    rows[:, 1] = rng.integers(10, 90, 200).astype(float)
    rows[:, 2] = rng.choice(["rented", "owned", "shared"], 200)
    accepted = np.where(
        (rows[:, 1] >= 40) & ((rows[:, 0] >= 30) | (rows[:, 2] == "owned")), "yes", "no"
    )

    binariser = Binariser(
        names=["age", "income", "home"],
        units={"age": "years", "income": "k€"},
        thresholds={"age": [30, 60], "income": [40]},
    )
    pipeline = make_pipeline(binariser, SteBinarizedClassifier(hidden=(6,), random_state=0))
    pipeline.fit(rows, accepted)

    rules = tc.get_rules(pipeline, data=rows)
    print(rules)
    print(rules.outline() or rules.decision_list())

    network = network_of(pipeline[-1].to_model(), (-1, 1))
    print(network_logic(network, rules.domain, rules.classes))
    no, yes = count(network, rules.domain)
    print(f"{yes} of {no + yes} kinds of applicants are accepted")


if __name__ == "__main__":
    main()
