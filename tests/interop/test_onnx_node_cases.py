"""The node cases that ONNX publishes: values in floats and exactly, and the table in the docs."""

from collections import Counter
from pathlib import Path

import corpus
import onnx
import pytest

REFUSED = {
    "test_equal_string",
    "test_identity_opt",
    "test_identity_sequence",
    "test_training_dropout",
    "test_training_dropout_default",
    "test_training_dropout_mask",
}
"""Strings, sequences and random numbers are no real functions."""
NOT_REAL = {
    "test_mod_float_edge_cases_fmod_0_float16",
    "test_mod_float_edge_cases_fmod_0_float64",
}
"""Cases whose inputs are infinite."""


@pytest.fixture(scope="module")
def script():
    return corpus.script("docs/make_onnx_table.py")


@pytest.fixture(scope="module")
def outcomes(script, data):
    return [script.run(case) for case in script.cases(data / "peer" / "onnx_node_cases.tar.gz")]


def test_every_case_passes_or_is_no_real_function(outcomes):
    assert len(outcomes) == 465
    assert {o.case for o in outcomes if o.verdict == "refused"} == REFUSED
    assert {o.case for o in outcomes if o.verdict == "failed"} == NOT_REAL
    assert Counter(o.verdict for o in outcomes)["passed"] == 457


def test_exact_values_agree_wherever_the_floats_do(outcomes):
    assert [o.case for o in outcomes if o.verdict == "passed" and not o.exact] == []


@pytest.fixture(scope="module")
def published(script):
    return [script.run(case) for case in script.published()]


ROUNDED = {
    "test_dft_inverse",
    "test_dft_inverse_opset19",
    "test_dynamicquantizelinear",
    "test_dynamicquantizelinear_expanded",
    *(
        f"test_attention_{case}bf16{suffix}"
        for case in ("3d_causal_", "4d_causal_", "4d_padded_kv_", "4d_causal_padded_kv_")
        for suffix in ("", "_expanded")
    ),
    *(f"test_attention_4d_attn_mask_causal_bf16{suffix}" for suffix in ("", "_expanded")),
}
"""Cases whose published values are rounded on the way, so that the real function has others."""


@pytest.mark.slow
def test_every_published_case_passes_or_says_why_it_is_no_real_function(script, published):
    failed = {o.case for o in published if o.verdict == "failed"}
    reasons = {o.case: script.reason(o) for o in published if o.case in failed}
    assert {case for case, why in reasons.items() if why == script.ROUNDED} <= ROUNDED
    assert set(reasons.values()) <= {
        *(script.ROUNDED, "an input is infinite or NaN", "the value is infinite"),
    }
    assert [o.case for o in published if o.verdict == "passed" and not o.exact] == []


@pytest.mark.slow
def test_the_table_in_the_docs_is_up_to_date(script, published):
    page = script.PAGE.read_text(encoding="utf-8")
    assert f"(onnx {onnx.__version__})" in page, "the cases are those of another version of onnx"
    assert script.page(published) == page


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["simple", "pytorch-operator", "pytorch-converted"])
def test_published_models_of_several_nodes_pass_too(script, folder):
    root = Path(onnx.__file__).parent / "backend" / "test" / "data" / folder
    found = [script.run(case) for case in script.in_folders(root)]
    assert len(found) >= 22
    # square roots and powers of negative numbers are NaN
    nan = {f"pytorch-operator/test_operator_{name}" for name in ("pow", "sqrt")}
    assert {o.case for o in found if o.verdict == "failed"} <= nan
    refused = {o.case for o in found if o.verdict == "refused"}
    assert all("strnorm" in case or "gradient" in case for case in refused)
    assert [o.case for o in found if o.verdict == "passed" and not o.exact] == []
