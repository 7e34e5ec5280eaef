"""Training on a table: rows held out, features as statements, how right it is, and the files.

What a network has to beat are the most frequent class, logistic regression and a small tree.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tamecheck.learn.binariser import Binariser
from tamecheck.learn.effort import DataError
from tamecheck.learn.estimator import BinarizedClassifier
from tamecheck.learn.selection import Fold, Quality, Scores, parts_of
from tamecheck.loaders.json_model import graph_bytes
from tamecheck.loaders.onnx import load_onnx
from tamecheck.loaders.outputs import write_files
from tamecheck.loaders.tables.forms import unit_of
from tamecheck.loaders.tables.rows import Table
from tamecheck.loaders.tables.schema import Bit, Column, Group, Schema, Target, Training
from tamecheck.loaders.tables.schema_file import schema_document

DEPTH = 3
"""The depth of the tree."""


def baselines(
    table: Table, train: npt.NDArray[np.int64], *, balanced: bool, seed: int
) -> dict[str, npt.NDArray[Any]]:
    """What each baseline says of every row of the table, trained on some rows.

    ``majority`` says the class that is the most frequent one in training; ``logistic`` is
    scikit-learn's logistic regression on numbers in units of their spread and one-hot categories,
    ``tree3`` its tree of depth 3 on numbers and one-hot categories; if ``balanced``, these two
    weigh classes alike.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    names, counts = np.unique(table.labels[train], return_counts=True)
    said: dict[str, npt.NDArray[Any]] = {
        "majority": np.full(len(table.labels), names[counts.argmax()])
    }
    if len(names) < 2:
        return said
    weight = "balanced" if balanced else None
    numbers, categories = _features(table, train)
    logistic = cast("Any", LogisticRegression)(max_iter=1000, class_weight=weight)
    tree = cast("Any", DecisionTreeClassifier)(
        max_depth=DEPTH, class_weight=weight, random_state=seed
    )
    with warnings.catch_warnings():
        # of a training that stopped early
        warnings.simplefilter("ignore")
        for name, model in (("logistic", logistic), ("tree3", tree)):
            x = np.hstack([numbers, categories])
            said[name] = model.fit(x[train], table.labels[train]).predict(x)
    return said


def _features(
    table: Table, train: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Numbers without their mean and in units of their spread, and a column for each category."""
    rows, columns = table.rows, list(enumerate(table.columns))
    numeric = [k for k, column in columns if column.categories is None]
    numbers = rows[:, numeric].astype(np.float64)
    with np.errstate(all="ignore"):
        spread = numbers[train].std(axis=0)
        spread[~np.isfinite(spread) | (spread == 0)] = 1.0
        numbers = np.nan_to_num((numbers - numbers[train].mean(axis=0)) / spread)
    words = [
        np.array([value == category for value in rows[:, k].tolist()], dtype=np.float64)
        for k, column in columns
        if column.categories is not None
        for category in sorted(set(rows[train, k].tolist()))
    ]
    categories = np.stack(words, axis=1) if words else np.zeros((len(rows), 0))
    return numbers, categories


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


def binariser_of(table: Table, train: npt.NDArray[np.int64], thresholds: int) -> Binariser | None:
    """What makes signs of rows, from the rows to train on; None if all cells are signs."""
    if table.rows.dtype != object and bool(np.isin(table.rows, (-1.0, 1.0)).all()):
        return None
    # rows that are held out may have categories that no other row has; they can occur
    texts = {
        column.name: sorted(set(table.rows[:, k].tolist()))
        for k, column in enumerate(table.columns)
        if column.categories is not None
    }
    binariser = Binariser(thresholds=thresholds, names=table.names, categories=texts)
    return binariser.fit(table.rows[train])


def folds_of(
    table: Table, train: npt.NDArray[np.int64], thresholds: int, seed: int
) -> list[Fold] | None:
    """The rows to train on in parts: each is tested on by networks of all others; None if too few.

    What makes signs of rows sees the rows to train on alone.
    """
    parts = parts_of(table.labels[train], seed)
    if parts is None:
        return None
    found: list[Fold] = []
    for part in parts:
        test, rest = train[part], np.random.default_rng(seed).permutation(np.delete(train, part))
        with_others = binariser_of(table, rest, thresholds)
        x, y = (
            (table.rows[r] if with_others is None else with_others.transform(table.rows[r])).astype(
                np.int8
            )
            for r in (rest, test)
        )
        found.append(Fold(x, table.labels[rest], y, table.labels[test]))
    return found


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
        binariser = binariser_of(table, train, thresholds)
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
    def balanced(self) -> bool:
        """Whether classes count alike in training, else rows."""
        return getattr(self.classifier, "class_weight", None) is not None

    def scores(self, rows: npt.NDArray[np.int64]) -> Scores:
        """How right the classifier is on these rows."""
        return Scores.of(self.classifier.predict(self._inputs(rows)), self.table.labels[rows])

    def schema(
        self, sha256: str, name: str = "", record: Mapping[str, Any] | None = None
    ) -> Schema:
        """What the inputs are made of: columns with their places in the file, statements, groups.

        ``sha256`` is that of the table's text, ``name`` that of its file, ``record`` what came of
        the training.
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
            columns: list[Column] = []
            for k, (column, own) in enumerate(zip(made.columns, table.columns, strict=True)):
                # a value that only held-out rows have can occur, and has no place among the others
                present = set(table.rows[:, k].tolist())
                known = column.values if present <= set(column.values) else ()
                unit = column.unit or unit_of(own.form)
                columns.append(
                    replace(column, index=own.index, values=known, form=own.form, unit=unit)
                )
            bits = [
                replace(b, form=columns[b.column].form, unit=columns[b.column].unit)
                for b in made.bits
            ]
            made = replace(made, columns=tuple(columns), bits=tuple(bits))
        training = Training(
            sha256,
            len(table.origins) + table.dropped,
            tuple(table.origins[int(k)].row for k in self.test),
            name,
            tuple(row.origin.row for row in table.left_out),
            table.reading,
            record or {},
        )
        target = Target(table.target, table.place or 0, table.labels.dtype.kind in "if")
        return replace(made, classes=self.classes, target=target, training=training)

    def quality(self, seed: int) -> Quality:
        """How right the classifier is, beside the baselines, on both parts of the rows."""
        said = baselines(self.table, self.train, balanced=self.balanced, seed=seed)
        labels, tested = self.table.labels, len(self.test) > 0
        return Quality(
            self.scores(self.train),
            self.scores(self.test) if tested else None,
            {name: Scores.of(of[self.train], labels[self.train]) for name, of in said.items()},
            {
                name: Scores.of(of[self.test], labels[self.test])
                for name, of in said.items()
                if tested
            },
            str(said["majority"][0]),
            self.balanced,
        )

    def to_json(self, schema: Schema) -> dict[str, Any]:
        """What was proved of the training, the rows, and what the inputs say."""
        bound: Any = getattr(self.classifier, "bound_", None)
        inner = getattr(self.classifier, "inner_", None)
        rows = {"train": len(self.train), "test": len(self.test), "dropped": self.table.dropped}
        return {
            "hidden": list(self.classifier.network_.widths[1:-1]),
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
