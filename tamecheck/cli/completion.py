"""``tamecheck completion``: what the Tab key completes in a shell."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from tamecheck.cli.options import Verb, option

_FILES = ("FILE", "MODEL", "MODEL|PROGRAM", "PROGRAM", "TABLE", "CERT", "SPEC", "INPUTS|FILE")

_DESCRIPTION = """\
Print a script that completes verbs, options, their values and files.

bash   tamecheck completion bash > ~/.local/share/bash-completion/completions/tamecheck
zsh    tamecheck completion zsh > ~/.zfunc/_tamecheck   (a folder of $fpath)
fish   tamecheck completion fish > ~/.config/fish/completions/tamecheck.fish"""


def _run(args: Namespace) -> int:
    """Write the script of the whole command line."""
    import shtab

    parser: Any = args.parser
    verbs = next(action for action in parser._actions if hasattr(action.choices, "items"))  # noqa: SLF001
    for verb in verbs.choices.values():
        for action in verb._actions:  # noqa: SLF001
            if action.metavar in _FILES:
                action.complete = shtab.FILE
    print(shtab.complete(parser, args.shell))
    return 0


VERB = Verb(
    "completion",
    "what the Tab key completes in bash, zsh and fish",
    _DESCRIPTION,
    (option("shell", None, "bash, zsh or fish", choices=("bash", "zsh", "fish")),),
    _run,
)
