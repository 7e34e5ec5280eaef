"""What is said of a table and of a training, in lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tamecheck.learn.network import BinarizedNetwork
from tamecheck.learn.selection import Quality, Scores, Selection
from tamecheck.loaders.tables.forms import is_days, said, unit_of
from tamecheck.loaders.tables.rows import Table

_LISTED = 60
_SHOWN = 5
_RIVALS = (
    ("majority", "always {}"),
    ("logistic", "logistic regression"),
    ("tree3", "tree of depth 3"),
)


def training_lines(
    document: Mapping[str, Any],
    quality: Quality,
    selection: Selection | None,
    table: Table,
    network: BinarizedNetwork,
) -> Iterator[str]:
    """What came of a training: how right, beside what, how it was chosen, and where it is."""
    test, widths = quality.held_out, ",".join(map(str, document["hidden"]))
    neurons = "1 hidden neuron" if widths == "1" else f"{widths} hidden neurons"
    parts = [f"{document['method']}: train accuracy {quality.train.accuracy:.4f}"]
    if test is not None:
        most = quality.baselines["majority"].accuracy
        parts.append(f"test accuracy {test.accuracy:.4f} (always {quality.majority}: {most:.4f})")
    if document["bound"] is not None:
        parts.append(f"proved bound on the training loss {document['bound']:g}")
    yield ", ".join([*parts, neurons])
    if test is not None:
        yield f"on {test.rows} rows that were held out:"
        yield from _quality_rows(quality, test)
    yield from quality.remarks()
    if selection is not None:
        yield _selection_text(selection)
    yield f"{document['model']}: {network}"
    yield f"{document['model']}.features.json: what its {len(document['features'])} inputs say"
    yield f"{len(table.origins)} rows: {columns_text(table)}."


def _quality_rows(quality: Quality, test: Scores) -> Iterator[str]:
    """A table of scores: the network and the baselines."""
    names = list(test.recall)[:_SHOWN]
    named = [("network", test)]
    for key, text in _RIVALS:
        if key in quality.baselines:
            named.append((text.format(quality.majority), quality.baselines[key]))
    width = max(len(name) for name, _ in named)
    more = ", …" if len(test.recall) > _SHOWN else ""
    yield f"  {'':{width}}  accuracy  balanced  recall of {', '.join(names)}{more}"
    for name, one in named:
        shares = " ".join(f"{one.recall[k]:.2f}" for k in names)
        yield f"  {name:{width}}  {one.accuracy:8.3f}  {one.balanced:8.3f}  {shares}"


def _selection_text(selection: Selection) -> str:
    """What was compared, and which is the smallest that is as good."""
    several = len({one.method for one in selection.candidates}) > 1
    tried = ", ".join(
        f"{one.method + ' ' if several else ''}{','.join(map(str, one.hidden))}: {one.mean:.3f}"
        for one in selection.candidates
    )
    chosen, best = selection.chosen, selection.best
    text = f"compared by {selection.score} on {selection.folds} folds: {tried}"
    if chosen is best:
        return f"{text}; the best was trained."
    return f"{text}; the smallest within one standard error ({best.error:.3f}) of the best."


def columns_text(table: Table) -> str:
    """The types of the columns in a sentence: numbers and days with their ranges, categories."""
    found: list[str] = []
    for number, column in enumerate(table.columns[:_LISTED]):
        name, values = column.name, table.rows[:, number].tolist()
        if column.categories is not None:
            shown = ", ".join(column.categories[:_SHOWN])
            more = ", …" if len(column.categories) > _SHOWN else ""
            found.append(f"{name} is one of {len(column.categories)} categories ({shown}{more})")
        else:
            kind, unit = "a day" if is_days(column.form) else "a number", unit_of(column.form)
            ends = (min(values), max(values))
            if not is_days(column.form):
                ends = (float(f"{ends[0]:.6g}"), float(f"{ends[1]:.6g}"))
            low, high = (said(end, column.form, unit) for end in ends)
            found.append(f"{name} is {kind} ({low} to {high})")
    if len(table.columns) > _LISTED:
        found.append(f"{len(table.columns) - _LISTED} more")
    if table.target:
        counts = Counter(map(str, table.labels.tolist())).most_common()
        shown = ", ".join(f"{name} {count}" for name, count in counts[:_SHOWN])
        more = ", …" if len(counts) > _SHOWN else ""
        found.append(f"the label {table.target} is {shown}{more}")
    return "; ".join(found)
