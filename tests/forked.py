"""The command ``tamecheck`` for transcripts: each call a fork of one process that has imported it.

Arguments, folder, environment and streams are those of the call, as is the exit code; only the
imports and the parser are shared.  What a process of its own does is tested in ``tests/cli``.
"""

import contextlib
import importlib
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
import threading

COMMAND = """\
#!{python} -ISs
import os, socket, sys
with socket.socket(socket.AF_UNIX) as call:
    call.connect({place!r})
    lines = [os.getcwd(), *(f"{{k}}={{v}}" for k, v in os.environ.items())]
    text = "\\0".join([str(len(lines)), *lines, *sys.argv[1:]]).encode()
    socket.send_fds(call, [b"%16d" % len(text)], [0, 1, 2])
    call.sendall(text)
    sys.exit(int(call.recv(16) or b"70"))
"""

PACKAGES = (
    *(
        "cells",
        "certificates",
        "cli",
        "derivative",
        "duality",
        "encode",
        "explain",
        "kernel",
        "learn",
    ),
    *("loaders.text", "model", "programs", "report", "show", "solvers", "tame", "verification"),
)
"""What verbs read, with all that is in it."""


@contextlib.contextmanager
def commands(folder):
    """The folder of a command ``tamecheck``, to stand first in PATH, while the server runs."""
    # the name of a socket has to be short
    with tempfile.TemporaryDirectory(prefix="tamecheck") as near:
        place = f"{near}/server"
        server = subprocess.Popen(
            [sys.executable, __file__, place],
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
        )
        with server:
            try:
                assert server.stdout.readline() == b"ready\n"
                command = folder / "tamecheck"
                command.write_text(COMMAND.format(python=sys.executable, place=place))
                command.chmod(0o755)
                yield folder
            finally:
                server.terminate()


def serve(place):
    from tamecheck.cli import main
    from tamecheck.cli.entry import _parser

    for name in ("numpy", "scipy.optimize", "highspy"):
        importlib.import_module(name)
    for name in PACKAGES:
        package = importlib.import_module(f"tamecheck.{name}")
        for part in pkgutil.walk_packages(getattr(package, "__path__", ()), f"tamecheck.{name}."):
            importlib.import_module(part.name)
    _parser()  # a parser costs as much as a verb
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place)
        server.listen()
        os.write(1, b"ready\n")
        while True:
            call, _ = server.accept()
            with call:
                if os.fork() == 0:
                    server.close()
                    run(call, main)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def run(call, main):
    head, streams, _, _ = socket.recv_fds(call, 16, 3)
    text = b""
    while len(text) < int(head):
        text += call.recv(1 << 16)
    count, *parts = text.decode().split("\0")
    folder, *variables = parts[: int(count)]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variable.split("=", 1) for variable in variables)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    try:
        code = main(parts[int(count) :])
    except SystemExit as end:
        code = end.code or 0
    threading._shutdown()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    call.sendall(str(code).encode())
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
