"""The last sections: certificates to download, versions and hashes, how to check again."""

from __future__ import annotations

import base64
import gzip
import hashlib
import platform
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import TypeAlias

from tamecheck.report.markup import Markup, bullets, code, element, facts, joined, table
from tamecheck.report.section import Download, NotMadeError, Part, Section

__all__ = ["Recheck", "certificates_part", "versions_part"]

Recheck: TypeAlias = Callable[[str], str]
"""What the kernel says of the text of a certificate."""

_PACKAGES = (
    *("numpy", "scipy", "python-flint", "onnx", "matplotlib", "scikit-learn"),
    *("mip", "highspy", "z3-solver", "python-sat"),
)
_MOST_PLAIN = 100_000
_MOST_CARRIED = 1_500_000


def certificates_part(sections: Sequence[Section], recheck: Recheck | None) -> Part:
    """Links that hold the certificates, with what the kernel says of each."""
    files = [download for section in sections for download in section.downloads]
    if not files:
        raise NotMadeError("Nothing in this report has a certificate.")
    rows: list[tuple[str, ...]] = []
    left_out: list[str] = []
    budget = _MOST_CARRIED
    for file in files:
        name, data, media = _packed(file)
        carried = len(data) <= budget
        if carried:
            budget -= len(data)
        else:
            left_out.append(f"{name} ({len(data):,} bytes)")
        link = _link(name, data, media) if carried else "too large to carry"
        said = "not checked here" if recheck is None else recheck(file.data.decode())
        rows.append((name, link, file.says, said, code(hashlib.sha256(data).hexdigest())))
    head = ("file", "download", "what it shows", "kernel", "SHA-256")
    missing = ""
    if left_out:
        missing = (
            f"Too large for this page: {', '.join(left_out)}; 'tamecheck check -o' and "
            "'tamecheck verify --distance -o' write them."
        )
    words = (
        "A certificate is checked by a small program of its own, which knows nothing of how it was "
        "found. What it says here it said when the report was made; run it yourself."
    )
    return Part(joined(element("p", words), table("Certificates", head, rows)), missing)


def _packed(file: Download) -> tuple[str, bytes, str]:
    if len(file.data) <= _MOST_PLAIN:
        return file.name, file.data, "application/json"
    return f"{file.name}.gz", gzip.compress(file.data, mtime=0), "application/gzip"


def _link(name: str, data: bytes, media: str) -> Markup:
    address = f"data:{media};base64,{base64.b64encode(data).decode()}"
    return element("a", "Download", href=address, download=name, aria_label=f"Download {name}")


def versions_part(
    argument: str, digest: str, sections: Sequence[Section], remarks: Sequence[tuple[str, str]]
) -> Part:
    """Versions, hashes, which sections there are, and the commands that check it again.

    ``argument`` names the model on a command line, quoted for a shell.
    """
    import tamecheck

    rows = [
        ("tamecheck", tamecheck.__version__),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("SHA-256 of the graph", code(digest)),
        *remarks,
    ]
    packages = ((name, version) for name in _PACKAGES if (version := _version(name)) is not None)
    commands = [
        ("The same graph has the same hash", f"tamecheck info --json {argument}"),
        ("Prove the verdict again", f"tamecheck check {argument} -o certificate.json"),
        (
            "Check a certificate with the kernel alone",
            f"tamecheck recheck tameness.certificate.json {argument}",
        ),
    ]
    words = element("p", "With the same model file and the same version of tamecheck:")
    steps = bullets(joined(said, ": ", code(command)) for said, command in commands)
    states = ((section.title, section.state.replace("-", " ")) for section in sections)
    return Part(
        joined(
            facts(rows),
            table("Packages that were there", ("package", "version"), packages),
            table("Sections", ("section", "state"), states),
            element("h3", "How to check it again"),
            words,
            steps,
        )
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
