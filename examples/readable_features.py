"""From a table to a binarized network whose inputs say something, with scikit-learn around it.

Run: python examples/readable_features.py
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from tamecheck.learn import Binariser, TameBinarizedClassifier


def main() -> None:
    """Choose thresholds and width by cross-validation, and show what the inputs say."""
    table = load_breast_cancer(as_frame=True)
    frame = table.data[["mean radius", "mean texture", "worst area", "worst concave points"]]
    pipeline = Pipeline(
        [
            ("binarise", Binariser(units={"mean radius": "px", "worst area": "px²"})),
            ("train", TameBinarizedClassifier(epochs=20, random_state=0)),
        ]
    )
    grid = {"binarise__thresholds": [1, 4], "train__hidden": [(2,), (6,)]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(frame, table.target)
    print(f"best of {grid}: {search.best_params_}, accuracy {search.best_score_:.3f}")
    binariser, network = (search.best_estimator_[name] for name in ("binarise", "train"))
    first = network.network_.layers[0]
    for neuron in range(first.weights.shape[1]):
        weights = first.weights[:, neuron]
        heaviest = abs(weights).argsort()[::-1][:3]
        says = [binariser.literal(i, holds=bool(weights[i] > 0)) for i in heaviest.tolist()]
        print(f"neuron {neuron} listens most to: {'; '.join(says)}")
    for group in binariser.groups():
        print(f"{group.feature}: {group.kind}, inputs {group.outputs}")


if __name__ == "__main__":
    main()
