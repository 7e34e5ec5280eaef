"""``tamecheck demo``: the main job on the embedded networks, with files to look at."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamecheck.cli.answer import claim, message, print_json, write_document
from tamecheck.cli.options import Subparsers, add_common, add_output

if TYPE_CHECKING:
    from tamecheck.models import Embedded

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Check four small networks that come with tamecheck, write a certificate for each, let the kernel
recheck it, and write a summary.  Takes a few seconds.

exit codes: 0 all verdicts are as they should be, 1 one is not"""
_FOLDER = "tamecheck-demo"


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb to the command line."""
    parser = subparsers.add_parser(
        "demo", help="the main job on embedded models", description=_DESCRIPTION
    )
    add_output(
        parser, "-o", "--output", default=_FOLDER, metavar="FOLDER", help=f"default: ./{_FOLDER}"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Check, certify and recheck every embedded model."""
    from tamecheck.loaders.outputs import write_text
    from tamecheck.models import EMBEDDED

    folder = Path(args.output)
    summary = folder / "summary.md"
    folder.mkdir(parents=True, exist_ok=True)
    claim(args, summary, "summary")
    for entry in EMBEDDED:
        claim(args, _certificate(folder, entry), "certificate")
    results: list[dict[str, Any]] = []
    texts: list[str] = []
    for entry in EMBEDDED:
        message(args, f"checking {entry.file} on {entry.box or 'all inputs'}")
        result, text = _result(entry, folder, args)
        results.append(result)
        texts.append(text)
    write_text(summary, _summary(results, texts))
    document = {"folder": str(folder), "summary": str(summary), "results": results}
    if args.json:
        print_json(document)
    elif args.quiet:
        print(folder)
    else:
        _print(document)
    return 0 if all(result["as_expected"] for result in results) else 1


def _result(entry: Embedded, folder: Path, args: Namespace) -> tuple[dict[str, Any], str]:
    """One row of the answer, and the whole answer as text."""
    import tamecheck
    from tamecheck.kernel import check
    from tamecheck.models import path
    from tamecheck.show import check_text

    model = tamecheck.load(path(entry.file))
    found = model.check(entry.box or None, timeout=args.timeout, seed=args.seed)
    structure = found.structure.public_name if found.structure else None
    certificate = _certificate(folder, entry)
    recheck = None
    if found.certificate is not None:
        write_document(certificate, found.certificate)
        recheck = check(certificate.read_text(encoding="utf-8")).verdict
    expected = (entry.verdict, entry.structure, "valid")
    result = {
        "name": entry.name,
        "about": entry.about,
        "model": str(path(entry.file)),
        "box": entry.box or None,
        "verdict": found.verdict.value,
        "structure": structure,
        "certificate": None if recheck is None else str(certificate),
        "recheck": recheck,
        "as_expected": (found.verdict.value, structure, recheck) == expected,
    }
    return result, check_text(found)


def _certificate(folder: Path, entry: Embedded) -> Path:
    return folder / f"{entry.name}.certificate.json"


def _summary(results: list[dict[str, Any]], texts: list[str]) -> str:
    parts = ["# Four small networks: are they tame?\n"]
    for result, text in zip(results, texts, strict=True):
        box = f" --box={result['box']}" if result["box"] else ""
        about = result["about"]
        parts.append(f"## {result['name']}\n\n{about[:1].upper()}{about[1:]}.\n")
        parts.append(f"    tamecheck check {result['model']}{box}\n")
        parts.append(f"```\n{text}\n```\n")
        if result["certificate"] is not None:
            name = Path(result["certificate"]).name
            parts.append(f"Certificate: [{name}]({name}); the kernel says {result['recheck']}.\n")
    return "\n".join(parts)


def _print(document: dict[str, Any]) -> None:
    from tamecheck.show.tables import print_sections

    rows = [
        (
            result["name"],
            " ".join(filter(None, (result["verdict"], result["structure"]))),
            f"on {result['box'] or 'all inputs'}",
            f"certificate {result['recheck']}" if result["recheck"] else "no certificate",
            "" if result["as_expected"] else "NOT AS EXPECTED",
        )
        for result in document["results"]
    ]
    files = [("summary", document["summary"])]
    files += [
        ("certificate", result["certificate"])
        for result in document["results"]
        if result["certificate"] is not None
    ]
    print_sections(sys.stdout, {"Verdicts": rows, f"Written to {document['folder']}": files})
