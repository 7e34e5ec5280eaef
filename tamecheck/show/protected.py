"""Attributes, orders, Shapley values, counts, tables and trainings, as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tamecheck.errors import first_few
from tamecheck.ir.exact import decimal_text, rational_text
from tamecheck.loaders.tables.forms import is_days, said, unit_of

if TYPE_CHECKING:
    from tamecheck.explain.answers import Shapley
    from tamecheck.explain.protected import Group, Protected, Rates
    from tamecheck.explain.shares import Shares
    from tamecheck.learn.network import BinarizedNetwork
    from tamecheck.learn.selection import Quality, Scores, Selection
    from tamecheck.loaders.tables.rows import Table


_SHOWN = 20
_WORDS = {True: "in some reason", False: "in no reason", None: "not known to be in a reason"}


def shapley_lines(found: Shapley, name: str) -> Iterator[str]:
    """The value of each feature beside its relevancy, and that they add up."""
    yield found.rule
    for feature, value in sorted(found.values.items(), key=lambda item: (-abs(item[1]), item[0])):
        decimal = f" ({float(value):+.4f})" if value.denominator > 1 else ""
        yield f"  {feature}: {rational_text(value)}{decimal}, {_WORDS[found.is_relevant(feature)]}"
    drawn = {
        "domain": f"the {found.points} possible inputs, all equally often",
        "table": f"the {found.points} rows of the table, all equally often",
    }[found.over]
    base = rational_text(found.base)
    yield f"  the sum {rational_text(found.sum)} is {found.value} - {base}, exactly"
    yield f"  1 where the decision is {found.asked}, else 0; other features as in {drawn}"
    yield f"  rests on: {found.rests_on}"
    if name:
        yield f"  about {name}"


def pair_lines(name: str, document: Mapping[str, Any]) -> Iterator[str]:
    """Whether a property of pairs of inputs holds, and a pair for which it does not."""
    yield f"{name}: {document['verdict']}"
    yield f"  {document['reason']}"
    if (witness := document["witness"]) is not None:
        for feature, before, after in witness["changes"]:
            named = "" if before.startswith(feature) else f"{feature}: "
            yield f"  {named}{before} → {after}"
        names = document["classes"]
        said = [value if names is None else names[int(value)] for value in witness["said"]]
        yield f"  the {document['of']} is {said[0]}, then {said[1]}  (inputs exactly in --json)"
    if document["monotone"] and document["classes"]:
        yield f"  the order of the classes: {' < '.join(document['classes'])}"
    if document["rests_on"] is not None:
        yield f"  rests on: {document['rests_on']} ({document['method']})"
    if document["certificate"] is not None:
        yield f"  certificate: {document['certificate']}"


def protected_lines(found: Protected, document: Mapping[str, Any]) -> Iterator[str]:
    """How often protected attributes decide, for whom, and how groups are decided."""
    yield found.rule
    if found.share:
        yield f"  {_percent(found.share)} of the possible inputs"
    for name, flips in found.each.items():
        yield f"  {name} alone: {'not known' if flips is None else flips}"
    witness = document["witness"]
    if found.witness is not None:
        changes = "; ".join(f"{a} → {b}" for a, b in found.witness.changes)
        where = "a possible input" if witness["row"] is None else f"row {witness['row']}"
        classes = [found.classes[k] for k in (found.witness.decision, found.witness.other)]
        yield f"  {where}: {changes} turns {classes[0]} into {classes[1]}"
    if found.rows:
        yield f"  rows: {_listed(document['rows'])}"
    if found.bounds[1] == 0:
        yield "  no possible input is decided otherwise by them"
    for group in found.groups:
        yield from _group_lines(group, found.classes)
    for case in document["cases"]:
        yield f"  row {case['row']}: {case['rule']}" if "row" in case else f"  {case['rule']}"
    yield f"  rests on: {found.rests_on}"


def _group_lines(group: Group, classes: Sequence[str]) -> Iterator[str]:
    parts: list[str] = []
    if group.domain is not None:
        parts.append(f"{_shares(group.domain, classes)} of possible inputs")
    if group.table is not None and group.table.rows:
        rows = group.table
        parts.append(f"{_shares(rows.decisions, classes)} of {rows.rows} rows")
    for rates, where in ((group.table, ""), (group.held_out, " held out")):
        if rates is not None and rates.labelled:
            parts.append(_errors(rates, where))
    yield f"  {group.value}: {'; '.join(parts) or 'not counted'}"


def _errors(rates: Rates, where: str) -> str:
    share = _percent(Fraction(rates.errors, rates.labelled))
    return f"{rates.errors} of {rates.labelled} labelled rows{where} wrong ({share})"


def _shares(counts: Sequence[int], classes: Sequence[str]) -> str:
    total = sum(counts)
    return ", ".join(
        f"{name} {_percent(Fraction(count, total))}"
        for name, count in zip(classes, counts, strict=True)
    )


def _percent(share: Fraction) -> str:
    """A share in percent, to one digit; what is not all or nothing does not look so."""
    digits = 1
    text = f"{float(100 * share):.{digits}f}%"
    if 0 < share < 1 and text in ("0.0%", "100.0%"):
        return "under 0.1%" if share < Fraction(1, 2) else "over 99.9%"
    return text


def _listed(rows: Sequence[int]) -> str:
    more = f", and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return ", ".join(map(str, rows[:_SHOWN])) + more


def shares_lines(found: Shares, labels: Sequence[str]) -> Iterator[str]:
    """How much of a domain each class has; bounds are rounded outwards, so that they hold."""
    yield f"{decimal_text(found.total, 9)} {'points' if found.measure == 'points' else 'in volume'}"
    for label, low, high in zip(labels, found.lower, found.upper, strict=True):
        least, most = 10_000 * low // found.total, -(-10_000 * high // found.total)
        if found.exact:
            yield f"  {label}: {decimal_text(low, 9)}  {float(100 * low / found.total):.2f}%"
        else:
            yield f"  {label}: {least / 100:.2f}% to {most / 100:.2f}%"
    yield f"  rests on: {found.rests_on}"


def bounds_lines(
    total: int, bounds: Sequence[tuple[int, int]], labels: Sequence[str]
) -> Iterator[str]:
    """Bounds on how many inputs each class has; shares are rounded outwards, so that they hold."""
    yield f"{total} inputs; unknown: out of time, with proved bounds"
    for label, (low, high) in zip(labels, bounds, strict=True):
        least, most = 10_000 * low // total, -(-10_000 * high // total)
        yield f"  class {label}: {low} to {high}   {least / 100:.2f}% to {most / 100:.2f}%"


def count_lines(
    counts: Sequence[int], decision: int | None, labels: Sequence[str]
) -> Iterator[str]:
    """How many inputs each class has, and their shares."""
    from tamecheck.explain.rules_result import shares

    total = sum(counts)
    yield f"{total} inputs"
    for number, (found, part) in enumerate(zip(counts, shares(counts), strict=True)):
        share = f"  {part:>7}" if total else ""
        mark = "  (the decision at the centre)" if number == decision else ""
        yield f"  class {labels[number]}: {found}{share}{mark}"


_LISTED = 60
_FEW = 5
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
    names = list(test.recall)
    named = [("network", test)]
    for key, text in _RIVALS:
        if key in quality.baselines:
            named.append((text.format(quality.majority), quality.baselines[key]))
    width = max(len(name) for name, _ in named)
    yield f"  {'':{width}}  accuracy  balanced  recall of {first_few(names, _FEW)}"
    for name, one in named:
        shares = " ".join(f"{one.recall[k]:.2f}" for k in names[:_FEW])
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
            shown = first_few(column.categories, _FEW)
            found.append(f"{name} is one of {len(column.categories)} categories ({shown})")
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
        shown = first_few([f"{name} {count}" for name, count in counts], _FEW)
        found.append(f"the label {table.target} is {shown}")
    return "; ".join(found)
