"""``tamecheck verify``, ``referee``, ``maximise``, ``minimise``: properties, extreme values."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import (
    EXIT_CODES,
    certifying,
    claim,
    enter,
    message,
    print_answer,
    print_json,
    working,
)
from tamecheck.cli.balls import BALLS, about_radius, run_hamming, run_radius
from tamecheck.cli.options import (
    ARITHMETIC,
    BOX,
    CERTIFICATE,
    MODEL,
    SARIF,
    Group,
    Place,
    Verb,
    option,
    output,
)
from tamecheck.cli.pairs import PAIRS, run_pairs
from tamecheck.cli.source import domain_of, model_of, name_of, number_of
from tamecheck.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from tamecheck.ir.spec import Specification
    from tamecheck.model import Model
    from tamecheck.verification.assignment import Assigned


_DESCRIPTION = """\
Show that no input of the property's region has outputs that it calls unsafe, or find one that has.
A proof rests on arithmetic that is rounded outward; a witness is evaluated exactly, and in float32
where onnxruntime is installed.

With --around FILE there is no property file: with --radius EPS it asks whether the decision at that
point stays within EPS of it in each element, and without, what the largest such EPS is.

Of a binarized network, whose inputs take two levels each, --hamming K asks instead whether the
decision at the point of --input stays when at most K inputs change, and --distance how many have to
change.

With --certify -o CERT a proof is written that 'tamecheck recheck CERT MODEL' confirms: of balls and
distances, and of properties of networks that are piecewise linear, or made of signs.

--monotone and --fair ask about two inputs that agree on all other features: over the possible
inputs of a binarized network, all values of its features, or over --box.  A witness is a pair.

With --network the only file is a VNN-LIB 2.0 query, and the answer is as that standard says: sat,
unsat, unknown or timed-out on the first line, then the values of all variables.

exit codes: 0 holds (--distance, --largest-radius: known), 1 violated, 3 unknown; with --vnncomp or
--network always 0"""


def _write_result(path: str, text: str) -> None:
    from tamecheck.loaders.outputs import write_text

    write_text(path, text)


def _write_timeout(args: Namespace) -> None:
    if args.vnncomp is not None:
        _write_result(args.vnncomp, "timeout\n")


def _run(args: Namespace) -> int:
    """Verify, print the answer."""
    claim(args, args.output, "certificate")
    claim(args, args.sarif, "result log")
    claim(args, args.vnncomp, "result")
    if args.network:
        return _run_query(args)
    if args.serialise_assignments is not None:
        what = "--serialise-assignments is of use for a VNN-LIB 2.0 query only."
        raise InputError(what, hint="Give its models: --network NAME=FILE.")
    if args.monotone is not None or args.fair is not None:
        return run_pairs(args)
    if args.hamming is not None or args.distance:
        return run_hamming(args)
    if about_radius(args):
        return run_radius(args)
    return _run_property(args) if args.vnncomp is None else _run_in_competition(args)


def _limits(args: Namespace) -> dict[str, Any]:
    """What the options say to `verify`."""
    from tamecheck.solvers.executors import count_cores

    if args.workers is not None and args.workers < 1:
        raise InputError(f"--workers {args.workers} is no positive number.")
    given = {"timeout": args.timeout, "seed": args.seed, "arithmetic": args.arithmetic}
    given |= {"workers": args.workers or count_cores()}
    return {**given, "certify": certifying(args)}


def _run_property(args: Namespace) -> int:
    model, spec = _property_of(args)
    from tamecheck.show.answers import verification_lines
    from tamecheck.verification import Holds, verify, vnncomp_text

    with working(args, "verifying"):
        answer = verify(model, spec, **_limits(args))
    document = answer.to_json()
    if isinstance(answer, Holds):
        enter(args, document, answer.certificate, answer.note)
    if args.vnncomp is not None:
        _write_result(args.vnncomp, vnncomp_text(answer))
    verdict = document["verdict"]
    document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
    print_answer(args, document, verification_lines(name_of(args), answer, verdict), verdict)
    return EXIT_CODES[verdict]


def _run_in_competition(args: Namespace) -> int:
    """Run with a result file whatever happens: the harness reads nothing else."""
    # what is there if the process is ended from outside
    _write_result(args.vnncomp, "unknown\n")
    begun = time.monotonic()
    try:
        _run_property(args)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the file says what happened)
        late = args.timeout is not None and time.monotonic() - begun >= args.timeout
        if isinstance(error, KeyboardInterrupt):
            word, why = "timeout" if late else "unknown", "out of time" if late else "interrupted"
        else:
            word = "unknown" if isinstance(error, UnsupportedError) else "error"
            why = " ".join(f"{error or type(error).__name__}".split())
        _write_result(args.vnncomp, f"{word}\n")
        message(args, why)
        if args.json:
            print_json({"verdict": "unknown", "reason": why, "rests_on": None})
    return 0


def _property_of(args: Namespace) -> tuple[Model, str]:
    """The model and the property's file."""
    if args.expr is not None and args.spec is None:
        # the only file is the property
        args.model, args.spec = None, args.model
    for name in ("input", "domain"):
        if getattr(args, name):
            raise InputError(
                f"--{name} is of no use with a property file.",
                hint="Ask about a ball with --radius EPS, or with --hamming K.",
            )
    if args.spec is None:
        raise InputError(
            "No property is given.",
            hint="Give a .vnnlib file; or a point, --around FILE and --radius EPS.",
        )
    return model_of(args), args.spec


# --- VNN-LIB 2.0 queries --------------------------------------------------------------------------


def networks_of(args: Namespace, spec: Specification) -> dict[str, Model]:
    """The models that ``--network`` names, with open dimensions as the query declares them."""
    import tamecheck
    from tamecheck.loaders.files import suffix_of
    from tamecheck.loaders.onnx import dims_for

    shapes = {n.name: [tensor.shape for tensor in n.inputs] for n in spec.networks}
    models: dict[str, Model] = {}
    for text in args.network:
        name, equals, path = text.partition("=")
        if not equals or name in models:
            what = "is given twice" if equals else "is not of the form NAME=FILE"
            raise InputError(f"--network {text!r} {what}.")
        known = shapes.get(name, []) if suffix_of(path) == ".onnx" else []
        models[name] = tamecheck.load(path, dims=dims_for(path, known) if known else None)
    return models


def _run_query(args: Namespace) -> int:
    """Answer as the standard says: a line, and the assignment if the query is satisfiable."""
    given = [n for n in ("spec", "expr", "dim", "vnncomp", "input") if getattr(args, n)]
    if args.model is None or given or args.hamming is not None or args.distance:
        what = "--network takes one positional argument, the query, and no other question."
        raise InputError(what, hint="As in: tamecheck verify Q.vnnlib --network f=FILE.onnx.")
    from tamecheck.loaders.text.vnnlib import read_vnnlib
    from tamecheck.verification import Holds, Violated, verify
    from tamecheck.verification.assignment import assignment_of, assignment_text, query_status

    spec = read_vnnlib(args.model)
    models = networks_of(args, spec)
    if args.serialise_assignments is not None:
        _claim_files(args, spec)
    with working(args, "verifying"):
        answer = verify(models, spec, **_limits(args))
    document = answer.to_json()
    if isinstance(answer, Holds):
        enter(args, document, answer.certificate, answer.note)
    status = query_status(answer)
    assigned = assignment_of(spec, answer.witness) if isinstance(answer, Violated) else ()
    document["status"] = status
    document["assignment"] = {one.tensor.name: one.to_json() for one in assigned} or None
    if isinstance(answer, Holds) and (why := answer.arithmetic).reason:
        message(args, f"Proved of real arithmetic, not of {why.declared}. {why.reason}")
    if isinstance(answer, Violated) and answer.witness.float32 is False:
        message(args, "A float32 run does not confirm the assignment, which is exact.")
    if args.serialise_assignments is not None and assigned:
        _write_assignments(args.serialise_assignments, assigned)
        print_answer(args, document, [status], status)
    else:
        lines = [status, *assignment_text(assigned).splitlines()]
        print_answer(args, document, lines, status)
    return 0


def _claim_files(args: Namespace, spec: Specification) -> None:
    folder = Path(args.serialise_assignments)
    names = (t.name for n in spec.networks for t in (*n.inputs, *n.hidden, *n.outputs))
    for name in names:
        if "/" in name or "\\" in name:
            raise InputError(f"{name!r} names no file.", hint="Rename it, or print assignments.")
    if not folder.exists():
        if not folder.parent.is_dir():
            raise InputError("The folder of the assignments has no parent.", where=str(folder))
        return
    for network in spec.networks:
        for tensor in (*network.inputs, *network.hidden, *network.outputs):
            claim(args, folder / f"{tensor.name}.pb", "assignment")


def _write_assignments(folder: str, assigned: tuple[Assigned, ...]) -> None:
    from tamecheck.loaders.outputs import make_folder, write_files
    from tamecheck.verification.assignment import assignment_files

    make_folder(folder)
    write_files({Path(folder) / name: data for name, data in assignment_files(assigned).items()})


VERB = Verb(
    "verify",
    "does a property hold? with a proof or a witness",
    _DESCRIPTION,
    (
        option("model", "MODEL", ".onnx or .json file, also .gz; or the query", nargs="?"),
        option("spec", "SPEC", "the property: .vnnlib file, also .gz", nargs="?"),
        MODEL[1],
        output("--vnncomp", "FILE", "write sat, unsat, unknown, timeout or error here, and exit 0"),
        CERTIFICATE,
        SARIF,
        ARITHMETIC,
        Group(
            "VNN-LIB 2.0 queries",
            (
                option(
                    "--network",
                    "NAME=FILE",
                    "the model of a declared network; once for each",
                    action="append",
                ),
                option(
                    "--serialise-assignments",
                    "DIR",
                    "write each variable as DIR/NAME.pb, an ONNX tensor, instead of printing it",
                ),
            ),
        ),
        PAIRS,
        BALLS,
    ),
    _run,
    answers=True,
    last_words=_write_timeout,
    many=(
        Place("model", (".onnx", ".json")),
        Place("spec", (".vnnlib",)),
        Place("input", (".json", ".csv", ".npy"), listed=False),
    ),
)


# --- extreme values ------------------------------------------------------------------------------

_ABOUT_EXTREMES = """\
Find the {adjective} value of one output element on a bounded box.  A piecewise linear network
becomes an exact mixed-integer program; walks over its linear pieces find a first point, solvers
go on from it, and a search tree proves the bound; the kernel checks its certificate.  The value
is that of the network at x in rational arithmetic.  Other networks get a rigorous bound from
boxes that are halved.

exit codes: 0 optimal, 3 otherwise"""


def _extreme(args: Namespace, verb: str) -> int:
    """Ask, print the answer, and give its exit code."""
    from tamecheck.show.answers import optimum_lines
    from tamecheck.verification import maximise, minimise

    model = model_of(args)
    output = number_of(args.output, f"{args.output!r} is no number of an output.", where="--output")
    shown = not args.quiet and sys.stderr.isatty()
    found = (maximise if verb == "maximise" else minimise)(
        model,
        output=output,
        box=domain_of(args, model),
        method=args.method,
        timeout=args.timeout,
        seed=args.seed,
        progress=(lambda line: message(args, line)) if shown else None,
    )
    document = found.to_json()
    document["output"] = output
    document["model"] = {"sha256": model.graph.sha256, "source": name_of(args)}
    brief = " ".join(filter(None, (document["status"], document["value"])))
    print_answer(args, document, optimum_lines(name_of(args), found), brief)
    return 0 if found.status == "optimal" else 3


def _verb(name: str, adjective: str) -> Verb:
    return Verb(
        name,
        f"the {adjective} value of an output on a box",
        _ABOUT_EXTREMES.format(adjective=adjective),
        (
            MODEL,
            BOX,
            option("--output", "K", "the output element's number (default 0)", default="0"),
            option(
                "--method",
                None,
                "'walk': Relax-and-Walk alone, with a linear bound",
                default="auto",
                choices=("auto", "walk"),
            ),
        ),
        lambda args: _extreme(args, name),
        answers=True,
    )


EXTREMES = (_verb("maximise", "largest"), _verb("minimise", "smallest"))


_ABOUT_REFEREE = """\
Judge what tools say about a property of a network.  Each witness is evaluated in rationals and run
in float32; if none is exact, the property is verified.  --answers takes results.csv files of
VNN-COMP, of which the rows about this network and property count, counterexample files, and answers
of 'tamecheck verify --json'; NAME=FILE says what the tool is called.

exit codes: 0 the truth is known, 3 it is not"""


def _run_referee(args: Namespace) -> int:
    claim(args, args.output, "summary")
    if args.expr is not None and args.spec is None:
        # the only file is the property
        args.model, args.spec = None, args.model
    if args.spec is None:
        raise InputError("No property is given.", hint="Give a .vnnlib file after the network.")
    from tamecheck.loaders.outputs import write_text
    from tamecheck.loaders.text.vnnlib import read_vnnlib
    from tamecheck.show.answers import referee_lines
    from tamecheck.verification.referee import Said, answers_in, markdown, referee

    model, spec = model_of(args), read_vnnlib(args.spec)
    network = name_of(args)
    said: list[Said] = []
    for text in args.answers:
        name, equals, path = text.partition("=")
        found = answers_in(
            path if equals else text,
            model=network,
            spec=args.spec,
            size=spec.input_size,
            name=name if equals else None,
        )
        said.extend(found)
    with working(args, "judging"):
        verdicts = referee(model, spec, said, timeout=args.timeout, seed=args.seed)
    if args.output is not None:
        write_text(args.output, markdown(verdicts, f"{network}, {args.spec}"))
    document = {**verdicts.to_json(), "file": args.output}
    print_answer(args, document, referee_lines(verdicts), verdicts.truth)
    return 3 if verdicts.truth == "unknown" else 0


REFEREE = Verb(
    "referee",
    "tools disagree about a property: who is right?",
    _ABOUT_REFEREE,
    (
        MODEL[0],
        option("spec", "SPEC", "the property: .vnnlib file, also .gz", nargs="?"),
        MODEL[1],
        option("--answers", "FILE", "what tools said: FILE or NAME=FILE", nargs="+", required=True),
        output("-o --output", "FILE", "write the table here, in Markdown"),
    ),
    _run_referee,
    answers=True,
)
