"""The first page: what is decided, how well on unseen rows, in which words, and by what."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from tamecheck.budget import Budget
from tamecheck.explain.counts import count_within
from tamecheck.explain.explainer import Explainer
from tamecheck.explain.rules_result import shares
from tamecheck.explain.telling import tell
from tamecheck.loaders.samples import exact_points
from tamecheck.report import page
from tamecheck.report.subject import Subject
from tamecheck.show.protected import protected_lines

_MOST_NAMED = 12
_MOST_ROWS = 5000
_METHODS = {
    "majority": "always the most frequent class",
    "logistic": "logistic regression",
    "tree3": "a decision tree of depth 3",
}


def overview_part(subject: Subject, limit: float) -> page.Part:
    """What is decided, from what, and how often each class is."""
    names = subject.class_names
    schema, target = subject.schema, None if subject.schema is None else subject.schema.target
    columns = subject.names if schema is None else [column.said for column in schema.columns]
    what = "the class" if target is None or not target.name else target.name
    rows = [
        ("It decides", page.joined(page.element("strong", what), f": {_or(names)}")),
        ("from", f"{len(columns)} {'columns' if schema else 'inputs'}: {_few(columns)}"),
        ("It is", _kind(subject)),
    ]
    missing = ""
    if subject.network is not None and subject.rule != "argmin":
        domain = subject.possible()
        rows.append(("Possible inputs", f"{domain.size:,}"))
        found = count_within(subject.network, domain, seconds=limit / 2)
        if found.exact:
            pairs = zip(names, found.lower, shares(found.lower), strict=True)
            said = "; ".join(f"{name} {count:,} ({share})" for name, count, share in pairs)
        else:
            triples = zip(names, found.lower, found.upper, strict=True)
            least = (
                f"{name} {_percent(low, domain.size)} to {_percent(high, domain.size, up=True)}"
                for name, low, high in triples
            )
            said = f"{'; '.join(least)} (proved bounds)"
        rows.append(("of which", said))
    body = [page.facts(rows)]
    if subject.network is not None:
        body.append(page.again(subject.commands.line("count", table=False)))
    return page.Part(page.joined(*body), missing)


def _kind(subject: Subject) -> str:
    graph = subject.model.graph
    network = subject.network
    if network is None:
        return f"a function of {graph.parameters:,} parameters"
    widths = [len(layer.thresholds) for layer in network.layers]
    if not widths:
        return "a binarized network without a hidden layer"
    hidden = " and ".join(map(str, widths))
    return f"a binarized network with {hidden} hidden neuron{'' if widths == [1] else 's'}"


def _percent(count: int, total: int, *, up: bool = False) -> str:
    """A share in percent with two digits, rounded down, or up."""
    share = -(-10_000 * count // total) if up else 10_000 * count // total
    return f"{share / 100:.2f}%"


def _or(names: Sequence[str]) -> str:
    first = ", ".join(names[:_MOST_NAMED][:-1])
    more = f" (of {len(names)})" if len(names) > _MOST_NAMED else ""
    return f"{first} or {names[:_MOST_NAMED][-1]}{more}" if first else names[0]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


# --- quality -------------------------------------------------------------------------------------


def quality_part(subject: Subject, _limit: float) -> page.Part:
    """How well it decides rows that its training has not seen, beside simple models."""
    training = None if subject.schema is None else subject.schema.training
    record: Mapping[str, Any] = {} if training is None else training.record
    held: Mapping[str, Any] = record.get("held_out") or {}
    baselines: Mapping[str, Any] = record.get("baselines") or {}
    parts: list[page.Markup] = []
    if held:
        named = {"this network": held, **{_METHODS.get(k, k): v for k, v in baselines.items()}}
        classes = list(cast("Mapping[str, Any]", held.get("recall") or {}))
        body = [(name, *_measures(one, classes)) for name, one in named.items()]
        head = ("", "accuracy", "balanced accuracy", *(f"recall of {name}" for name in classes))
        rows = held.get("rows", len(training.held_out) if training is not None else "")
        parts.append(page.table(f"On {rows} rows that the training has not seen", head, body))
        parts += _compared(record)
    parts += _on_unseen(subject)
    if parts:
        return page.Part(page.joined(*parts, *_retrained(subject, record)))
    sample = subject.sample
    if sample is None or not sample.classes:
        raise page.NotMadeError(
            "No row is known that the training has not seen, so nothing is said of its quality: "
            "'tamecheck train --test 0.25' keeps some and measures it on them."
        )
    few = sample.points[:_MOST_ROWS]
    right = int((subject.decided(few) == sample.labels[: len(few)]).sum())
    words = (
        f"{right} of {len(few)} rows of the table ({right / len(few):.1%}) are decided as labelled."
    )
    return page.Part(page.paragraph(words), "whether its training has seen these rows is not known")


def _on_unseen(subject: Subject) -> list[page.Markup]:
    """How right it is on the rows of the table that were held out, and one answer for all."""
    places, sample = unseen(subject), subject.sample
    if sample is None or not places or not sample.classes:
        return []
    right = int((subject.decided(sample.points[places]) == sample.labels[places]).sum())
    seen = np.delete(sample.labels, places)
    counts = np.bincount(seen[seen >= 0], minlength=1)
    most = int(counts.argmax())
    same, total = int((sample.labels[places] == most).sum()), len(places)
    return [
        page.paragraph(
            page.element("strong", f"{right} of {total} unseen rows ({right / total:.1%})"),
            " are decided as labelled, recomputed from the table for this report; always saying "
            f"{subject.class_name(most)} gets {same} ({same / total:.1%}).",
        )
    ]


def _retrained(subject: Subject, record: Mapping[str, Any]) -> list[page.Markup]:
    """The command that trains and measures again."""
    options: Mapping[str, Any] = record.get("options") or {}
    training = None if subject.schema is None else subject.schema.training
    if not options or training is None or not training.table:
        return []
    words = ["tamecheck", "train", training.table, "-o", "again.json"]
    target = None if subject.schema is None else subject.schema.target
    words += [] if target is None else [f"--target={target.name or target.index}"]
    reading = training.reading
    words += {None: [], True: ["--header"], False: ["--no-header"]}[reading.header]
    for name in ("sep", "decimal", "missing"):
        value = getattr(reading, name)
        words += [] if value is None else [f"--{name}", value]
    words += [] if not reading.ignore else ["--ignore", ",".join(reading.ignore)]
    for name, value in options.items():
        if value is not None and value is not False:
            words += [f"--{name}"] if value is True else [f"--{name}", _text(value)]
    if "seed" in record and "seed" not in options:
        words += ["--seed", str(record["seed"])]
    return [page.again(" ".join(map(shlex.quote, words)))]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, cast("Sequence[Any]", value)))
    return str(value)


def _measures(one: Mapping[str, Any], classes: Sequence[str]) -> Iterator[str]:
    for key in ("accuracy", "balanced_accuracy"):
        yield _rate(one.get(key))
    recall: Mapping[str, Any] = one.get("recall") or {}
    for name in classes:
        yield _rate(recall.get(name))


def _rate(value: Any) -> str:
    return f"{value:.1%}" if isinstance(value, int | float) else "-"


def _compared(record: Mapping[str, Any]) -> list[page.Markup]:
    """Whether the network is better than simple models, said plainly."""
    losing: Sequence[str] = record.get("no_better_than") or ()
    baselines: Mapping[str, Any] = record.get("baselines") or {}
    if losing:
        names = _or([_METHODS.get(name, name) for name in losing])
        said = f"The network is no better than {names} on these rows."
        return [page.note(page.element("strong", said), kind="absent")]
    if baselines:
        return [page.note("The network is better than each of these simple models on these rows.")]
    return []


def unseen(subject: Subject) -> list[int]:
    """The positions of the table's rows that were held out of the training."""
    training = None if subject.schema is None else subject.schema.training
    if subject.sample is None or training is None or training.sha256 != subject.table_sha256:
        return []
    held = set(training.held_out)
    return [k for k, origin in enumerate(subject.sample.origins) if origin.row in held]


# --- the short form ------------------------------------------------------------------------------


def form_part(subject: Subject, limit: float) -> page.Part:
    """The decisions in a few lines: a points score, a list, a tree, with its proved share."""
    network, domain = subject.binarized(), subject.possible()
    if subject.rule == "argmin":
        raise page.NotMadeError("Rules are made for decisions by the largest output.")
    states = None if subject.sample is None else network.states(exact_points(subject.sample))
    found = tell(
        network,
        domain,
        subject.class_names,
        states=states,
        budget=Budget.of(0.8 * limit),
        seed=subject.seed,
    )
    line = subject.commands.line("rules")
    return page.Part(
        page.joined(
            page.element("pre", found.lines), page.paragraph(found.summary), page.again(line)
        )
    )


# --- protected attributes ------------------------------------------------------------------------


def protected_part(subject: Subject, limit: float) -> page.Part:
    """Whether a change of protected attributes alone changes a decision, and for whom."""
    if not subject.protected:
        raise page.NotMadeError(
            "No attributes are named as protected: --protected sex,age says which, and then this "
            "counts where a change of these alone changes a decision."
        )
    network = subject.binarized()
    explainer = Explainer.over(
        network, subject.possible(), classes=subject.class_names, seed=subject.seed
    )
    sample, given = subject.sample, dict[str, Any]()
    if sample is not None:
        given["rows"] = list(exact_points(sample))
        given["labels"] = [subject.class_names[k] if k >= 0 else None for k in sample.labels]
        held = set(unseen(subject))
        given["held_out"] = [k in held for k in range(len(sample.points))] if held else None
    found = explainer.protected(list(subject.protected), timeout=0.7 * limit, **given)
    document: dict[str, Any] = {**found.to_json(), "cases": []}
    if sample is not None:
        numbers = [origin.row for origin in sample.origins]
        document["rows"] = [numbers[place] for place in found.rows]
        witness = document["witness"]
        if witness is not None and witness["row"] is not None:
            witness["row"] = numbers[witness["row"]]
    first, *rest = protected_lines(found, document)
    line = subject.commands.line("explain", "--protected", ",".join(subject.protected))
    missing = "" if found.flips is not None else "not counted in time; the bounds are proved"
    said = page.bullets(line.strip() for line in rest)
    return page.Part(
        page.joined(page.note(page.element("strong", first)), said, page.again(line)), missing
    )
