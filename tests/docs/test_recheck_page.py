"""The page that rechecks in a browser answers as the kernel does here, by choice and by drop."""

import base64
import gzip
import json
import shutil
import socket
import time
from dataclasses import asdict

import pytest
from corpus import script

import tamecheck as tc
from tamecheck.checkers import check
from tests.report.chromium import Browser, executable


def missing():
    """What is not there of a browser, npm, and the registry that npm asks; empty if all is."""
    if executable() is None:
        return "there is no Chromium"
    if shutil.which("npm") is None:
        return "there is no npm"
    try:
        with socket.create_connection(("registry.npmjs.org", 443), timeout=3):
            return ""
    except OSError:
        return "the registry of npm does not answer"


WHY = missing()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(WHY != "", reason=WHY)]
PAGE = script("docs/make_recheck_page.py")
FORMULAS = (
    *("max(x, 0) - 3*sign(y)", "relu(x)*y", "sqrt(x^2 + y^2)", "exp(x) + tanh(y)", "erf(x)"),
    *("clip(round(x), -1, 1)", "x/(1 + y^2)", "sigmoid(x) - log(1 + exp(y))", "abs(x - y)"),
    *("sin(x)", "sin(x)*y", "x - floor(x)", "floor(x)*y", "min(x, y, x*y)", "atan(x)"),
)
PROGRAM = "max\n p: {} x + y\nst\n c: 3 x + 2 y <= {}\nbounds\n x <= 4\n y <= 4\ngen\n x y\nend\n"


def certificates(folder):
    """Certificates of each kernel: right ones, mutants, unfinished ones, and what is none."""
    for text in FORMULAS:
        found = tc.expression(text).check().certificate
        if found is not None:
            yield json.dumps(found)
    for cost, right in ((2, 7), (3, 8), (1, 5), (5, 11)):
        file = folder / "p.lp"
        file.write_text(PROGRAM.format(cost, right))
        yield json.dumps(tc.solve(tc.load_program(file)).answer.certificate)
    signs = tc.expression("sign(2*x + y + z + w - 1)")
    for radius in (0, 1):
        found = tc.verify_hamming(signs, (1, 1, 1, 1), radius)
        if getattr(found, "certificate", None) is not None:
            yield json.dumps(found.certificate)


def mutants(text):
    """The certificate with something else in its claim, a step left out, and cut short."""
    document = json.loads(text)
    claim = dict(document["claim"])
    for key, value in claim.items():
        if isinstance(value, str) and value:
            yield json.dumps({**document, "claim": {**claim, key: f"{value}1"}})
            break
    for key in ("steps", "nodes"):
        if isinstance(document.get(key), list):
            yield json.dumps({**document, key: document[key][:-1]})
    yield text[: len(text) // 2]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    PAGE.write_page(folder / "page", PAGE.fetched(folder))
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(folder / "page" / "index.html", width=390, height=844)
        said(browser, "Ready.")
        yield browser


def said(browser, text, seconds=120):
    deadline = time.monotonic() + seconds
    while browser.ask("document.getElementById('state').textContent") != text:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def reported(browser, data, steps="undefined"):
    encoded = base64.b64encode(data).decode()
    call = f"recheck(bytes('{encoded}'), {steps}).then(r => report = r)"
    browser.ask(f"globalThis.report = null; {call}; 0")
    deadline = time.monotonic() + 120
    while browser.ask("globalThis.report === null"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return json.loads(browser.ask("JSON.stringify(report)"))


def test_it_answers_as_the_kernel_does_here(page, tmp_path):
    right = list(certificates(tmp_path))
    texts = [*right, *(mutant for text in right for mutant in mutants(text))]
    texts += ["", "{}", "[1, 2", '{"format": "other"}', "null"]
    assert len(texts) >= 50
    verdicts = set()
    for text in texts:
        here = json.loads(json.dumps(asdict(check(text))))
        assert reported(page, text.encode()) == here
        verdicts.add(here["verdict"])
    assert verdicts >= {"valid", "invalid"}
    assert reported(page, gzip.compress(right[0].encode()))["verdict"] == "valid"
    assert page.complaints() == []


def test_a_certificate_that_needs_more_steps_is_incomplete(page, tmp_path):
    text = next(certificates(tmp_path))
    none_left = -(10**9)  # beside those for the length of the text
    here = check(text, none_left)
    assert here.verdict == "incomplete"
    assert reported(page, text.encode(), none_left) == json.loads(json.dumps(asdict(here)))
    huge = json.dumps({**json.loads(text), "padding": ["x" * 1000] * 30_000})
    assert reported(page, huge.encode())["verdict"] == check(huge).verdict
    refused = "recheck({byteLength: 3e8}).then(r => report = r); 0"
    page.ask(f"globalThis.report = null; {refused}")
    while page.ask("globalThis.report === null"):
        time.sleep(0.02)
    assert page.ask("report.verdict") == "incomplete"


def test_a_file_is_chosen_or_dropped_and_its_text_stays_text(page, tmp_path):
    text = next(certificates(tmp_path))
    file = tmp_path / "<b>c.json"
    file.write_text(text)
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])
    said(page, "Done.")
    assert page.ask("document.getElementById('verdict').textContent") == "VALID"
    assert "<b>c.json" in page.ask("document.getElementById('rows').textContent")
    assert page.ask("document.querySelectorAll('#rows b').length") == 0
    dropped = json.dumps(text[:-40])
    page.ask(
        f"{{ const d = new DataTransfer(); d.items.add(new File([{dropped}], 'd.json'));"
        "document.getElementById('state').textContent = '';"
        "document.getElementById('drop').dispatchEvent(new DragEvent('drop',"
        "{dataTransfer: d, bubbles: true, cancelable: true})); } 0"
    )
    said(page, "Done.")
    assert page.ask("document.getElementById('verdict').textContent") == "INVALID"
    outside = [r for r in page.requests() if not r.startswith(("file:", "blob:", "data:"))]
    assert outside == []
    assert page.ask("document.documentElement.scrollWidth") <= 390
