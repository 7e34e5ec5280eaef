"""``tamecheck referee``: who is right where tools disagree about a property."""

from __future__ import annotations

from argparse import Namespace

from tamecheck.cli.answer import claim, print_answer, working
from tamecheck.cli.options import MODEL, Verb, option, output
from tamecheck.cli.source import model_of, name_of
from tamecheck.errors import InputError

_DESCRIPTION = """\
Judge what tools say about a property of a network.  Each witness is evaluated in rationals and run
in float32; if none is exact, the property is verified.  --answers takes results.csv files of
VNN-COMP, of which the rows about this network and property count, counterexample files, and answers
of 'tamecheck verify --json'; NAME=FILE says what the tool is called.

exit codes: 0 the truth is known, 3 it is not"""


def _run(args: Namespace) -> int:
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


VERB = Verb(
    "referee",
    "tools disagree about a property: who is right?",
    _DESCRIPTION,
    (
        MODEL[0],
        option("spec", "SPEC", "the property: .vnnlib file, also .gz", nargs="?"),
        MODEL[1],
        option("--answers", "FILE", "what tools said: FILE or NAME=FILE", nargs="+", required=True),
        output("-o --output", "FILE", "write the table here, in Markdown"),
    ),
    _run,
    answers=True,
)
