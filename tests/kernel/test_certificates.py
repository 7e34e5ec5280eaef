"""Certificates written by hand: right ones are accepted, and what is wrong in others is said."""

import json
from pathlib import Path

import pytest

from tamecheck.kernel import check

HERE = Path(__file__).parent
ACCEPT = sorted((HERE / "accept").glob("*.json"))
REJECT = sorted((HERE / "reject").glob("*.json"))
WHY = json.loads((HERE / "reject_reasons.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", ACCEPT, ids=lambda p: p.stem)
def test_right_certificates_are_accepted(path):
    text = path.read_text(encoding="utf-8")
    report = check(text)
    assert (report.verdict, report.step) == (
        ("incomplete" if path.stem == "trusted" else "valid"),
        None,
    ), report
    assert report.claim == json.loads(text)["claim"]
    assert report == check(text.encode())


@pytest.mark.parametrize("path", REJECT, ids=lambda p: p.stem)
def test_wrong_certificates_are_rejected_for_the_right_reason(path):
    report = check(path.read_text(encoding="utf-8"))
    assert report.verdict == "invalid"
    assert report.claim is None
    assert report.step == WHY[path.stem]["step"]
    assert WHY[path.stem]["why"] in report.why


def test_every_rejected_file_has_a_reason():
    assert {p.stem for p in REJECT} == set(WHY)
    assert len(REJECT) >= 75


def test_what_was_trusted_is_listed():
    report = check((HERE / "accept" / "trusted.json").read_text(encoding="utf-8"))
    assert report.verdict == "incomplete"
    assert report.trusted == ("enclosure of node 1, by 'z3 5.4.1'",)


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe", b"", "null", "0", '"x"', "[" * 10**6, '{"a":' * 10**5]
)
def test_junk_is_invalid_and_never_an_exception(junk):
    assert check(junk).verdict == "invalid"


@pytest.mark.parametrize("path", ACCEPT, ids=lambda p: p.stem)
def test_no_prefix_of_a_certificate_is_accepted(path):
    text = path.read_text(encoding="utf-8").rstrip()
    for end in range(0, len(text), max(1, len(text) // 50)):
        assert check(text[:end]).verdict == "invalid"
