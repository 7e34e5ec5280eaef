"""``tamecheck mcp``: the verbs as tools of the Model Context Protocol, over stdin and stdout."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tamecheck
from tamecheck.cli.answer import error_document
from tamecheck.cli.many import answer_alone, shared_of
from tamecheck.cli.options import Verb, option
from tamecheck.errors import InputError, TamecheckError, package

if TYPE_CHECKING:
    from tamecheck.solvers.executors import Workers

_DESCRIPTION = """\
Serve check, verify, explain, diff and solve to an assistant over the Model Context Protocol, on
stdin and stdout.  Files are read below --root only and none is written; a call takes at most
--timeout seconds and --memory.  Its answer is that of --json, with exit_code.

exit code: 0"""
_TIMEOUT, _MEMORY = 60.0, 2 << 30
_INSTRUCTIONS = """\
Questions about neural networks (.onnx, .json, or an expression such as 'max(x,0) - sign(y)') and \
mixed-integer programs (.mps, .lp, .json), answered exactly and with proof. exit_code: 0 proved or \
done, 1 refuted, 2 bad input, 3 unknown or out of time or memory, 4 unsupported."""


class _Questions:
    """Questions that are put to the verbs, within the limits of the server."""

    def __init__(self, args: Namespace, pool: Workers) -> None:
        self._args, self._pool = args, pool
        self._root = Path(args.root).resolve()
        self._most: float = args.timeout or _TIMEOUT

    async def ask(
        self, verb: str, files: Sequence[str | None], seconds: float, **options: str | None
    ) -> dict[str, Any]:
        """What a verb answers."""
        try:
            given = [f"--{name.replace('_', '-')}={v}" for name, v in options.items() if v]
            limit = f"--timeout={min(max(seconds, 0.1), self._most):g}"
            places = [self._file(name) for name in files if name]
            args = self._args.parser.parse_args([verb, *places, *given, limit])
            args.memory = self._args.memory
            import asyncio

            return await asyncio.wrap_future(self._pool.submit(answer_alone, shared_of(args)))
        except TamecheckError as error:
            # asked in a wrong way, or its process ended
            return error_document(error)

    def file(self, name: str | None) -> str | None:
        """A file below the root, if one is given."""
        return self._file(name) if name else None

    def _file(self, name: str) -> str:
        try:
            found = (self._root / name).resolve()
        except (OSError, ValueError) as error:
            raise InputError(f"This is no name of a file ({error}).", where=name[:80]) from None
        if not found.is_relative_to(self._root):
            raise InputError("The file is outside of the folder that is served.", where=name)
        return str(found)


def _tools(ask: _Questions) -> tuple[Callable[..., Any], ...]:
    """The tools, whose signatures and texts the protocol shows."""

    async def check(
        model: str | None = None,
        expression: str | None = None,
        box: str | None = None,
        seconds: float = 30,
    ) -> dict[str, Any]:
        """Is a network or a program tame (definable in an o-minimal structure)? With proof.

        Give a model file (.onnx, .json; .mps, .lp for a program) or an expression such as
        'max(x,0) - sign(y)', and perhaps a box such as 'x=-1:1,y=0:inf' or '-1:1'.
        """
        return await ask.ask("check", [model], seconds, expr=expression, box=box)

    async def verify(model: str, spec: str, seconds: float = 30) -> dict[str, Any]:
        """Does a VNN-LIB property (.vnnlib file) hold for a network? A proof or a witness."""
        return await ask.ask("verify", [model, spec], seconds)

    async def explain(  # noqa: PLR0913, PLR0917 (each by its name)
        model: str,
        input: str,  # noqa: A002 (as the option is called)
        kind: str = "abductive",
        domain: str | None = None,
        box: str | None = None,
        seconds: float = 30,
    ) -> dict[str, Any]:
        """Why a classifier decides as it does about the input in a .json, .csv or .npy file.

        kind: abductive, contrastive, counterfactual, relevancy or shapley. domain: the two levels
        of every input of a binarized network, '-1,1'; box: where inputs are otherwise, '0:1'.
        """
        options = {"kind": kind, "domain": domain, "box": box}
        return await ask.ask("explain", [model], seconds, input=ask.file(input), **options)

    async def diff(
        at: str,
        model: str | None = None,
        expression: str | None = None,
        kind: str = "clarke",
        seconds: float = 30,
    ) -> dict[str, Any]:
        """The exact set of Jacobians at a point such as 'x=0,y=1/3'.

        kind: clarke, bouligand or conservative. Also what automatic differentiation returns there.
        """
        return await ask.ask("diff", [model], seconds, expr=expression, at=at, kind=kind)

    async def solve(program: str, seconds: float = 60) -> dict[str, Any]:
        """The optimum of a mixed-integer program (.mps, .lp, .json), proved, in exact numbers."""
        return await ask.ask("solve", [program], seconds)

    return check, verify, explain, diff, solve


def _run(args: Namespace) -> int:
    """Serve until stdin ends."""
    from tamecheck.solvers.executors import executor_of
    from tamecheck.solvers.limits import can_limit

    server = package("mcp.server.mcpserver", "mcp").MCPServer
    if not Path(args.root).is_dir():
        raise InputError("There is no such folder.", where=f"--root {args.root}")
    if args.memory is None and can_limit():
        args.memory = _MEMORY
    workers = 2 if args.workers is None else args.workers
    if workers < 1:
        raise InputError(f"--workers {workers} is no positive number.")
    with executor_of(None, workers, args.memory) as pool:
        served = server(
            "tamecheck",
            instructions=_INSTRUCTIONS,
            version=tamecheck.__version__,
            log_level="WARNING",
        )
        for tool in _tools(_Questions(args, pool)):
            served.tool()(tool)
        served.run("stdio")
    return 0


VERB = Verb(
    "mcp",
    "serve the verbs to an assistant (MCP)",
    _DESCRIPTION,
    (
        option("--root", "DIR", "files are read below here only (default: here)", default="."),
        option("--workers", "N", "questions that are answered at once (default 2)", type=int),
    ),
    _run,
    serves=True,
)
