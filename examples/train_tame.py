"""Tame backpropagation and the straight-through estimator, side by side, and what is proved.

Run: python examples/train_tame.py
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tamecheck.learn import SteBinarizedClassifier, TameBinarizedClassifier


def main() -> None:
    """Train three networks 64-8-10 on small pictures of digits."""
    digits = load_digits()
    signs = np.where(digits.data >= 8, 1, -1)
    labels = digits.target
    x, held, y, y_held = train_test_split(signs, labels, stratify=labels, random_state=0)
    learners = {
        "straight-through": SteBinarizedClassifier((8,), epochs=30, random_state=0),
        "tame, split": TameBinarizedClassifier((8,), epochs=30, random_state=0),
        "tame, joint": TameBinarizedClassifier((8,), variant="joint", epochs=30, random_state=0),
    }
    for name, learner in learners.items():
        learner.fit(x, y)
        print(f"{name}: train {learner.score(x, y):.3f}, test {learner.score(held, y_held):.3f}")
    joint = learners["tame, joint"]
    print(joint.definability_certificate(x[0], label=int(y[0])))
    model = joint.to_model()
    print(model)
    print(f"the network is {model.check().structure.public_name}")
    scores = model.evaluate(held[0], exact=True)
    print("exact scores of a picture:", ", ".join(map(str, scores)))


if __name__ == "__main__":
    main()
