"""The page that rechecks certificates in a browser: the kernel's files, run by Pyodide.

Run: python docs/make_recheck_page.py FOLDER [--pyodide PACKAGE]

FOLDER gets ``index.html``, ``pyodide.js`` and ``runtime.js``; open the page by a double click or
put the folder on any server.  It asks no network.  PACKAGE is the unpacked npm package ``pyodide``;
without it ``npm pack`` fetches the version that is named here.
"""

import argparse
import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import tamecheck

VERSION = "314.0.7"
"""Of Pyodide; its files must have the digests below."""
DIGESTS = {
    "pyodide.js": "3141b814715a72e59b51b1b18b9ceae5bf19f7c852417e431bb0a34feadf825c",
    "pyodide.asm.mjs": "f7cdc8ece80678ceb712f8e65ebe6d3a83203a180c399865f49612a051693635",
    "pyodide.asm.wasm": "cc36e3cab04fdfc9a63ff13eb52eae2b911bf46c025cc7b281f394bd3de1d5e6",
    "python_stdlib.zip": "fa1957e5777068fc4f7437f96d860ae2fbe9c19732ba06c84e004ec16dd7dd7a",
    "pyodide-lock.json": "5dc2fc119108bc148c7457dc86e7675b5c87e1cafd420b9c34c1eaef7b36c010",
}
KERNELS = ("kernel", "kernel_bnn", "kernel_mip", "kernel_pwl")
PROGRAM = """
import gzip, io, json, sys
from dataclasses import asdict

sys.path.insert(0, "/kernel")
from tamecheck.checkers import check

MOST = 1_000_000_000

def answer(data, steps=None):
    text = data.to_bytes()
    if text[:2] == b"\\x1f\\x8b":
        try:
            with gzip.open(io.BytesIO(text)) as stream:
                text = stream.read(MOST)
        except (OSError, EOFError):
            text = b""
    return json.dumps(asdict(check(text, steps)))

answer
"""


def kernel_archive() -> bytes:
    """The kernel's own files in a zip, always the same bytes."""
    package = Path(tamecheck.__file__).parent
    files = [package / "__init__.py", package / "checkers.py"]
    files += sorted(file for name in KERNELS for file in (package / name).glob("*.py"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            name = f"tamecheck/{file.relative_to(package).as_posix()}"
            archive.writestr(zipfile.ZipInfo(name), file.read_bytes())
    return buffer.getvalue()


def fetched(folder: Path) -> Path:
    """The npm package, unpacked in a folder."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is not installed; give the unpacked package by --pyodide.")
    line = [npm, "pack", "--silent", f"pyodide@{VERSION}"]
    subprocess.run(line, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    with tarfile.open(folder / f"pyodide-{VERSION}.tgz") as archive:
        for name in DIGESTS:
            file = archive.extractfile(f"package/{name}")
            if file is not None:
                (folder / name).write_bytes(file.read())
    return folder


def write_page(folder: Path, package: Path) -> None:
    """Write the page, with the runtime of an unpacked npm package.

    Raises SystemExit if a file of the package is another than is expected.
    """
    contents = {name: (package / name).read_bytes() for name in DIGESTS}
    for name, data in contents.items():
        if hashlib.sha256(data).hexdigest() != DIGESTS[name]:
            raise SystemExit(f"{package / name} is not that of Pyodide {VERSION}.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyodide.js").write_bytes(contents.pop("pyodide.js"))
    archive = kernel_archive()
    held = {**contents, "kernel.zip": archive}
    runtime = {
        "files": {name: base64.b64encode(data).decode() for name, data in held.items()},
        "program": PROGRAM,
        "version": f"tamecheck {tamecheck.__version__}, SHA-256 of the kernel's files "
        f"{hashlib.sha256(archive).hexdigest()[:16]}, Pyodide {VERSION}",
    }
    text = f"const RUNTIME = {json.dumps(runtime)};\n"
    (folder / "runtime.js").write_text(text, encoding="utf-8")
    shutil.copy(Path(__file__).parent / "recheck" / "index.html", folder / "index.html")


def main() -> None:
    """Write the page into the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pyodide", type=Path, help="the unpacked npm package")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        write_page(args.folder, args.pyodide or fetched(Path(scratch)))


if __name__ == "__main__":
    main()
