"""``tamecheck explain``: why a classifier decides as it does."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tamecheck.cli import inputs
from tamecheck.cli.answer import claim, message, print_answer, print_json
from tamecheck.cli.options import MODEL, Place, Verb, flag, option, output
from tamecheck.cli.protected import refuse_options, run_protected
from tamecheck.cli.source import model_of
from tamecheck.errors import InputError, TimeLimitError, UnsupportedError, visible

if TYPE_CHECKING:
    from tamecheck.binarized import ThresholdNetwork
    from tamecheck.cli.inputs import Naming
    from tamecheck.explain import Explainer, ModelExplainer
    from tamecheck.loaders.samples import Sample
    from tamecheck.model import Model
    from tamecheck.verification.decisions import Decision


_DESCRIPTION = """\
For one input, or each row of a table: a minimal set of features that keeps the decision whatever
the others are (abductive), a smallest set that can change it (contrastive), or the nearest
possible input of another class (counterfactual), or which features are in every reason, in some
and in none (relevancy), or what each feature adds to having the class, as exact fractions, beside
relevancy (shapley).  All exact, over the stated domain: two levels an input of a binarized
network; intervals, integers and one-hot groups of any other classifier that 'tamecheck verify'
decides (trees, forests, ReLU networks, linear models; of those no Shapley values).

With --protected A,B instead: can a change of these features alone change a decision?  At how many
possible inputs, for which rows of --data, in which reasons of those of --rows, and how the groups
are decided; needs no rows.

exit codes: 0 explained, 1 no change of the features changes the decision, 3 out of time"""
_KINDS = ("abductive", "contrastive", "counterfactual", "relevancy", "shapley")
_ABOUT_KINDS = (
    (("abductive", "contrastive"), ("smallest",)),
    (("abductive",), ("second", "prefer")),
    (("counterfactual", "shapley"), ("towards",)),
    (("counterfactual",), ("metric", "immutable", "increasing", "decreasing")),
    (("shapley",), ("over",)),
)
"""Options that are only for some kinds."""

_UNSAID = (None, "", False, "features", "domain")
_MOVES = ("immutable", "increasing", "decreasing")


def _run(args: Namespace) -> int:
    """Explain and print."""
    from tamecheck.explain import Explainer
    from tamecheck.ir.tensor import size_of

    about_groups = args.protected is not None
    if about_groups:
        refuse_options(args)
    args.kind = args.kind or "abductive"
    _check_arguments(args)
    model = model_of(args, notes=False)
    naming = inputs.naming_of(args, model)
    if args.input is None and args.data is None and (about_groups or args.rows is not None):
        args.data = inputs.table_of_training(args, naming.schema)
    given = [path for path in (args.input, args.data) if path is not None]
    if len(given) > 1 or (not given and not about_groups):
        count = sum(map(size_of, model.inputs.values()))
        what = "Give --input or --data." if args.data is None else "--input or --data, not both."
        raise InputError(what, hint=f"A file with {count} numbers, or rows, or a table.")
    sample = inputs.sample_from(args, model, naming.schema)
    explainer = _explainer(args, model, naming, sample)
    if about_groups:
        if not isinstance(explainer, Explainer):
            what = "--protected is about networks whose inputs take two levels."
            raise InputError(what, hint="'tamecheck verify --fair' is for any model.")
        asked = inputs.named_inputs(args.protected, explainer.domain, "--protected")
        rows = inputs.chosen_rows(_of_all(args), model, explainer, sample) if given else None
        return run_protected(args, explainer, asked, rows, sample, naming.schema)
    options = _options(args, explainer)
    rows = inputs.chosen_rows(args, model, explainer, sample)
    if args.over == "table":
        options["rows"] = _drawn(args, model, explainer, sample)
    if len(rows.points) == 1 and args.output is None:
        return _single(args, explainer, rows, options)
    if args.plot is not None:
        raise InputError(
            "A figure is about one input.", where="--plot", hint="Choose it by --rows."
        )
    return _table(args, model, explainer, rows, options)


def _explainer(
    args: Namespace, model: Model, naming: Naming, sample: Sample | None
) -> Explainer | ModelExplainer:
    """The explainer of two levels an input; where the model is none of these, of any classifier."""
    from tamecheck.explain import Explainer
    from tamecheck.explain.networks import image_shape

    if args.box is None and args.integers is None:
        try:
            network, domain = inputs.network_and_domain(args, model, naming, sample)
        except UnsupportedError as error:
            if args.domain is None and sample is None:
                hint = "Any classifier is explained over intervals of its inputs: give --box."
                raise UnsupportedError(error.what, where=error.where, hint=hint) from None
        else:
            shape = inputs.shape_of(args.shape) or image_shape(model)
            labels = naming.classes or ()
            return Explainer.over(network, domain, classes=labels, shape=shape, seed=args.seed)
    if args.constraint:
        raise InputError("--constraint is for networks whose inputs take two levels.")
    return classifier_explainer(args, model, naming, sample)


def _check_arguments(args: Namespace) -> None:
    """Refuse files that cannot be written, and options that would say nothing."""
    claim(args, args.output, "list of explanations")
    if args.plot is not None:
        from tamecheck.plots import checked_path

        checked_path(args.plot)
        claim(args, args.plot, "figure")
    if args.workers is not None and args.workers < 1:
        raise InputError(f"--workers {args.workers} is no positive number.")
    for kinds, names in _ABOUT_KINDS:
        for name in names:
            if args.kind not in kinds and getattr(args, name) not in _UNSAID:
                raise InputError(
                    f"--{name} is not for --kind {args.kind}.",
                    hint=f"It is for --kind {' and '.join(kinds)}.",
                )


def _options(args: Namespace, explainer: Explainer | ModelExplainer) -> dict[str, Any]:
    """The options of the kind of explanation that is asked for."""
    options: dict[str, Any] = {"timeout": args.timeout}
    if args.kind == "abductive":
        prefer = inputs.named_inputs(args.prefer, explainer.domain, "--prefer")
        options |= {"smallest": args.smallest, "prefer": prefer}
        options |= {"second": True} if args.second else {}
    elif args.kind == "counterfactual":
        options |= {"target": _class(args.towards, explainer), "metric": args.metric}
        domain = explainer.domain
        options |= {
            name: inputs.named_inputs(getattr(args, name), domain, f"--{name}") for name in _MOVES
        }
    elif args.kind == "shapley":
        options["target"] = _class(args.towards, explainer)
    return options


def _drawn(
    args: Namespace, model: Model, explainer: Explainer | ModelExplainer, sample: Sample | None
) -> list[Any]:
    """All rows of the table, of which Shapley values draw the other features."""
    if sample is None:
        raise InputError("--over table is about the rows of a table.", hint="Give one with --data.")
    return inputs.chosen_rows(_of_all(args), model, explainer, sample).points


def _of_all(args: Namespace) -> Namespace:
    """The same arguments about all rows of the table."""
    return Namespace(**{**vars(args), "rows": None})


def _decided(explainer: Explainer | ModelExplainer) -> ThresholdNetwork | Decision:
    """What decides: it knows how many classes there are, and its hash."""
    from tamecheck.explain import Explainer

    return explainer.network if isinstance(explainer, Explainer) else explainer.decision


def _class(text: str | None, explainer: Explainer | ModelExplainer) -> int | None:
    """A class by its name or its number."""
    if text is None:
        return None
    numbers = [str(number) for number in range(_decided(explainer).classes)]
    for known in (explainer.classes, numbers):
        if text in known:
            return known.index(text)
    known = ", ".join(explainer.classes or numbers)
    raise InputError(f"There is no class {text!r}.", where="--towards", hint=f"Classes: {known}.")


# --- one input -----------------------------------------------------------------------------------


def _single(
    args: Namespace,
    explainer: Explainer | ModelExplainer,
    rows: inputs.ChosenRows,
    options: dict[str, Any],
) -> int:
    """Explain one input."""
    from tamecheck.show.answers import explanation_lines, ground_text
    from tamecheck.show.protected import shapley_lines

    row, about = rows.points[0], rows.about[0]
    try:
        found = explainer.explain(row, args.kind, **options)
    except TimeLimitError:
        late = {"decision": explainer.decide(row), "features": None, "why": "timeout"}
        print_answer(args, {**late, **about}, ["unknown: out of time", *_about(rows.names[0])])
        return 3
    if found is None:
        said = _unchangeable(explainer, row)
        line = f"{said['label']}: no allowed change of the features changes it"
        print_answer(args, {**said, **about}, [line, *_about(rows.names[0])])
        return 1
    drawn: dict[str, str] = {}
    if args.plot is not None:
        from tamecheck.plots import draw_explanation, draw_relevancy

        draw = draw_relevancy if args.kind == "relevancy" else draw_explanation
        draw(found).save(args.plot)
        drawn["file"] = args.plot
    lines = shapley_lines if args.kind == "shapley" else explanation_lines
    print_answer(args, {**found.to_json(), **drawn, **about}, lines(found, rows.names[0]))
    whole = {"relevancy": "complete", "shapley": "values"}.get(args.kind, "minimal")
    whole = bool(getattr(found, whole))
    if whole and not found.checked:
        message(
            args,
            f"This rests on {ground_text(found)} alone: there are too many points to show it a"
            " second time, so the exit code is 3.",
        )
    return 0 if whole and found.checked else 3


def _about(name: str) -> list[str]:
    """Which row an answer is about, where there are several."""
    return [f"  about {name}"] if name else []


def _unchangeable(explainer: Explainer | ModelExplainer, row: Any) -> dict[str, Any]:
    """What is said where no allowed change of the features changes the decision."""
    from tamecheck.explain.answers import called
    from tamecheck.explain.check import RECOMPUTED
    from tamecheck.explain.models import ModelExplainer

    decision = explainer.decide(row)
    label = called(decision, explainer.classes)
    said = {"decision": decision, "label": label, "class": label, "features": None}
    rests_on = explainer.ground if isinstance(explainer, ModelExplainer) else RECOMPUTED
    return {**said, "rule": None, "checked": True, "rests_on": rests_on}


# --- a table -------------------------------------------------------------------------------------


def _table(
    args: Namespace,
    model: Model,
    explainer: Explainer | ModelExplainer,
    rows: inputs.ChosenRows,
    options: dict[str, Any],
) -> int:
    from tamecheck.explain.batch import explain_rows

    # what the answers depend on: a file of answers to anything else is not taken up
    question = {
        "model": model.graph.sha256,
        "data": inputs.sha256_of_table(args.data if args.input is None else args.input),
        "network": _decided(explainer).sha256,
        "domain": explainer.domain.sha256,
        "classes": list(explainer.classes),
        "kind": args.kind,
        "options": {k: v for k, v in options.items() if k != "rows"}
        | {"seed": args.seed}
        | ({"over": args.over} if args.kind == "shapley" else {}),
        "rows": inputs.ranges([about["row"] for about in rows.about if about]) or "0",
    }
    total = len(rows.points)
    with _answers(args, question, rows) as (found, keep):
        done = len(found)
        points, about = rows.points[done:], rows.about[done:]
        try:
            for answer in explain_rows(
                explainer, points, args.kind, about=about, workers=args.workers or 1, **options
            ):
                keep(answer)
                found.append(answer)
        except KeyboardInterrupt:
            message(args, f"stopped after {len(found)} of {total} rows")
    if args.json and not args.json_lines:
        print_answer(args, {"explanations": found, "rows": total}, [])
    elif args.output is not None:
        print(f"{len(found)} of {total} rows explained in {visible(args.output)}")
    keys = ("minimal", "complete", "checked")
    whole = len(found) == total and all(a.get(key, True) for a in found for key in keys)
    return 0 if whole and not any("error" in a for a in found) else 3


@contextmanager
def _answers(
    args: Namespace, question: Mapping[str, Any], rows: inputs.ChosenRows
) -> Generator[tuple[list[dict[str, Any]], Callable[[dict[str, Any]], None]]]:
    """The answers that an earlier run wrote, and where the next ones go."""
    if args.output is None:
        names = iter(rows.names)
        yield [], lambda answer: _show(args, answer, next(names))
        return
    from tamecheck.loaders.outputs import journal

    form = "tamecheck-explanations"
    with journal(args.output, "list of explanations", form, question, force=args.force) as kept:
        if kept.cut:
            message(args, "the last line was unfinished and is written again")
        pairs = zip(kept.kept, rows.about, strict=False)
        in_order = all(answer.get(key) == row[key] for answer, row in pairs for key in row)
        if not in_order or len(kept.kept) > len(rows.about):
            raise InputError(
                "The file's answers are not those of these rows in order.", where=args.output
            )
        yield list(kept.kept), kept.append


def _show(args: Namespace, answer: dict[str, Any], name: str) -> None:
    if args.json_lines:
        print_json(answer)
    elif not args.json:
        said = answer.get("rule") or answer.get("error") or "no change"
        print(visible(f"{name}: {said}" if name else str(said)))


VERB = Verb(
    "explain",
    "why a decision? reasons and nearest changes",
    _DESCRIPTION,
    (
        MODEL,
        option("--input", "FILE", "the input, or a table of inputs: .json, .csv or .npy"),
        option("--kind", None, "what to find (default abductive)", choices=_KINDS),
        flag("--smallest", "a reason with the fewest features"),
        flag("--second", "let z3 check the reason as well"),
        option("--protected", "A,B", "what these features decide alone, by number or name"),
        option("--towards", "CLASS",
            "the class that a counterfactual is to have, or that Shapley values are about"),
        option("--over", None,
            "where Shapley values take other features from: all possible inputs, or rows of --data",
            choices=("domain", "table"), default="domain"),
        option("--metric", None, "what a counterfactual's distance counts",
            choices=("features", "inputs", "steps"), default="features"),
        tuple(
            option(f"--{name}", "I,J", f"{text}, by number or name", default="")
            for name, text in (
                ("immutable", "inputs that stay"),
                ("increasing", "inputs that may only rise"),
                ("decreasing", "inputs that may only fall"),
                ("prefer", "inputs to keep in a reason rather than others"),
            )
        ),
        output("-o", "FILE",
            "write a table's answers here, one JSON object a line; what is there is kept",
            dest="output"),
        output("--plot", "FILE",
            "draw it: pixels of an image, or bars of relevancy; .png, .svg or .pdf"),
        inputs.SHAPE,
        inputs.DOMAIN,
        inputs.CONSTRAINT,
        option("--box", "BOX",
            "what any other classifier's inputs can be: 'age=18:90,x=0:inf', or -1:1 for all; "
            "default: the range of each column of --data"),
        inputs.INTEGERS,
        inputs.table_options("instead of --input, rows for the model"),
        inputs.ROWS,
    ),
    _run,
    many=(
        Place("model", (".onnx", ".json")),
        Place("input", (".json", ".csv", ".npy"), listed=False),
        Place("data", (".csv", ".tsv", ".data", ".arff", ".dat"), listed=False),
    ),
)  # fmt: skip


def classifier_explainer(
    args: Namespace, model: Model, naming: Naming, sample: Sample | None
) -> ModelExplainer:
    """The explainer of a model that is no binarized network, or is explained over a box.

    Without ``--box`` and ``--domain`` the domain is the range of each column of the table.
    """
    from tamecheck.explain.networks import Described, model_explainer
    from tamecheck.ir.tensor import size_of
    from tamecheck.loaders.samples import exact_points
    from tamecheck.loaders.text.box import box_of_rows

    if args.thermometer is not None:
        what = "A thermometer is for inputs of two levels."
        raise InputError(what, where="--thermometer", hint="Give --box and --integers.")
    if getattr(args, "constraint", None):
        what = "--constraint is for networks whose inputs take two levels."
        raise InputError(what, hint="Groups of inputs are told by --one-hot.")
    box: Any = args.box
    domain = None if args.domain is None else inputs.levels_of(args.domain)
    if box is not None and domain is not None:
        raise InputError("--box or --domain, not both.")
    names = naming.names
    if sample is not None and naming.inferred:
        names = list(sample.names)
    if box is None and domain is None and sample is not None:
        box = box_of_rows(exact_points(sample), model.inputs)
        message(args, "The domain is the range of each column of the table; --box gives another.")
    classes = naming.classes or (() if sample is None else sample.classes)
    count = sum(map(size_of, model.inputs.values()))
    return model_explainer(
        Described(model),
        domain=domain,
        box=box,
        integers=[] if args.integers is None else [k.strip() for k in args.integers.split(",")],
        one_hot=inputs.groups_of(args.one_hot, "--one-hot", count),
        names=names,
        classes=classes,
        seed=args.seed,
    )
