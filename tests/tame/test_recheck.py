"""A certificate is checked in whatever form a user holds it."""

import json

import pytest

import tamecheck as tc


@pytest.fixture
def answer():
    return tc.expression("max(x, 0)").check()


def test_an_answer_a_document_a_text_and_a_file_are_all_valid(answer, tmp_path):
    text = json.dumps(answer.certificate)
    path = tmp_path / "relu.json"
    path.write_text(text)
    for form in (answer, answer.certificate, text, text.encode(), path):
        assert tc.recheck(form).verdict == "valid"


def test_a_text_that_is_no_certificate_is_invalid_not_an_error():
    assert tc.recheck("{}").verdict == "invalid"
    assert tc.recheck("").verdict == "invalid"


def test_an_unknown_verdict_has_nothing_to_check():
    with pytest.raises(tc.InputError, match="no certificate"):
        tc.recheck(tc.expression("1/x").check())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(tc.InputError, match=r"nowhere\.json"):
        tc.recheck(tmp_path / "nowhere.json")
