"""Training on a table: rows held out, features as statements, how right it is, and the files."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tamecheck.learn.binariser import Binariser
from tamecheck.learn.effort import DataError
from tamecheck.learn.estimator import BinarizedClassifier
from tamecheck.loaders.json_model import graph_bytes
from tamecheck.loaders.onnx import load_onnx
from tamecheck.loaders.outputs import write_files
from tamecheck.loaders.tables.rows import Table
from tamecheck.loaders.tables.schema import Bit, Group, Schema, Target, Training
from tamecheck.loaders.tables.schema_file import schema_document


def split(
    labels: npt.NDArray[Any], fraction: float | None, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The numbers of the rows to train on, and of those to test on, classes in proportion."""
    every = np.arange(len(labels))
    if fraction is None:
        return every, every[:0]
    rng = np.random.default_rng(seed)
    test: list[int] = []
    for label in np.unique(labels):
        rows = rng.permutation(every[labels == label])
        test += rows[: round(fraction * len(rows))].tolist()
    if not test or len(test) == len(every):
        part = "test" if not test else "train"
        raise DataError(f"--test {fraction:g} leaves no rows to {part} ({len(every)} rows).")
    return np.setdiff1d(every, test), np.sort(np.array(test, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Scores:
    """The share of rows decided as labelled, and that of the most frequent class of the training.

    ``recall`` is, for each class that occurs, the share of its rows that are decided so.
    """

    accuracy: float
    majority: float
    recall: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON."""
        balanced = sum(self.recall.values()) / len(self.recall)
        return {
            "accuracy": self.accuracy,
            "balanced_accuracy": balanced,
            "recall": self.recall,
        }


@dataclass(frozen=True, slots=True, eq=False)
class TableTraining:
    """A classifier trained on some rows of a table, through a binariser unless they are signs."""

    table: Table
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    classifier: BinarizedClassifier
    binariser: Binariser | None
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        table: Table,
        train: npt.NDArray[np.int64],
        test: npt.NDArray[np.int64],
        classifier: BinarizedClassifier,
        thresholds: int,
    ) -> TableTraining:
        """Train the classifier; the notes are what it warns of."""
        binariser = None
        if table.rows.dtype == object or not bool(np.isin(table.rows, (-1.0, 1.0)).all()):
            # rows that are held out may have categories that no other row has; they can occur
            texts = {
                column.name: sorted(set(table.rows[:, k].tolist()))
                for k, column in enumerate(table.columns)
                if column.categories is not None
            }
            binariser = Binariser(thresholds=thresholds, names=table.names, categories=texts)
            binariser.fit(table.rows[train])
        made = cls(table, train, test, classifier, binariser, ())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            classifier.fit(made._inputs(train), table.labels[train])
        return replace(made, notes=tuple(str(warning.message) for warning in caught))

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names."""
        return tuple(str(name) for name in np.asarray(self.classifier.classes_).tolist())

    @property
    def majority(self) -> Any:
        """The class that is the most frequent one in training."""
        names, counts = np.unique(self.table.labels[self.train], return_counts=True)
        return names[counts.argmax()]

    def scores(self, rows: npt.NDArray[np.int64]) -> Scores:
        """How right the classifier is on these rows."""
        labels, majority = self.table.labels[rows], self.majority
        right = np.asarray(self.classifier.predict(self._inputs(rows)) == labels)
        said: list[Any] = labels.tolist()
        recall: dict[str, float] = {}
        for name in sorted(set(said)):
            own = np.array([label == name for label in said])
            recall[str(name)] = float(right[own].mean())
        most = sum(bool(label == majority) for label in said) / len(said)
        return Scores(float(right.mean()), most, recall)

    def schema(self, sha256: str) -> Schema:
        """What the inputs are made of: columns with their places in the file, statements, groups.

        ``sha256`` is that of the table's text.
        """
        table = self.table
        if self.binariser is None:
            made = Schema(
                table.columns,
                tuple(Bit(k, c.name, levels=(-1.0, 1.0)) for k, c in enumerate(table.columns)),
                tuple(Group("free", c.name, (k,)) for k, c in enumerate(table.columns)),
            )
        else:
            made = self.binariser.schema()
            columns: list[Any] = []
            for k, (column, own) in enumerate(zip(made.columns, table.columns, strict=True)):
                # a value that only held-out rows have can occur, and has no place among the others
                present = set(table.rows[:, k].tolist())
                known = column.values if present <= set(column.values) else ()
                columns.append(replace(column, index=own.index, values=known))
            made = replace(made, columns=tuple(columns))
        held_out = tuple(table.origins[int(k)].row for k in self.test)
        training = Training(sha256, len(table.origins) + table.dropped, held_out)
        target = Target(table.target, table.place or 0, table.labels.dtype.kind in "if")
        return replace(made, classes=self.classes, target=target, training=training)

    def to_json(self, schema: Schema) -> dict[str, Any]:
        """How right the classifier is, what was proved of its training, and what its inputs say."""
        own = self.scores(self.train)
        held_out = self.scores(self.test) if len(self.test) else None
        bound: Any = getattr(self.classifier, "bound_", None)
        inner = getattr(self.classifier, "inner_", None)
        majority = {
            "class": str(self.majority),
            "train_accuracy": own.majority,
            "accuracy": None if held_out is None else held_out.majority,
        }
        rows = {"train": len(self.train), "test": len(self.test), "dropped": self.table.dropped}
        return {
            "train_accuracy": own.accuracy,
            "test_accuracy": None if held_out is None else held_out.accuracy,
            "held_out": None if held_out is None else held_out.to_json(),
            "baselines": {"majority": majority},
            "bound": None if bound is None else float(bound),
            "interrupted": self.classifier.interrupted_,
            "rows": rows,
            "left_out": [row.to_json() for row in self.table.left_out],
            "test_rows": [] if schema.training is None else list(schema.training.held_out),
            "features": list(schema.features),
            "classes": list(self.classes),
            **({} if inner is None else {"inner": inner}),
        }

    def _inputs(self, rows: npt.NDArray[np.int64]) -> Any:
        chosen = self.table.rows[rows]
        return chosen if self.binariser is None else self.binariser.transform(chosen)


def save_network(classifier: BinarizedClassifier, path: str, schema: Schema) -> Schema:
    """Write the model, and what its inputs are made of, with the model's hash: both or neither."""
    graph = classifier.to_model().graph
    if path.lower().endswith(".onnx"):
        data = classifier.network_.onnx_bytes(schema)
        graph = load_onnx(data, where=path).graph
    else:
        data = graph_bytes(graph)
    found = replace(schema, model=graph.sha256)
    document = json.dumps(schema_document(found), allow_nan=False, separators=(",", ":"))
    write_files({path: data, f"{path}.features.json": document.encode()})
    return found
