"""Reports on three models: every section is there, right, or says why it is not."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import tamecheck as tc
from tamecheck.errors import InputError
from tamecheck.learn import BinarizedNetwork, Layer
from tamecheck.loaders.samples import sample_of
from tamecheck.loaders.tables.schema import Bit, Column, Group, Schema, Target, Training
from tamecheck.loaders.tables.table import read_table
from tamecheck.report import SECTIONS, subject_of
from tamecheck.report.mathematics import jacobian_part
from tamecheck.report.page import NotMadeError
from tamecheck.report.robustness import robustness_part
from tamecheck.report.rules import count_part, rules_part
from tamecheck.report.table import data_part, explanations_part
from tests.report.conftest import Page, subject_from

MODELS = ("votes", "relu", "sine")


@pytest.fixture(params=MODELS)
def report(request):
    return request.getfixturevalue(request.param)


def section(report, key):
    return next(s for s in report.sections if s.key == key)


def text_of(report, key):
    return Page(section(report, key).body).text


@pytest.mark.slow
def test_every_section_is_there(report):
    page = Page(report.html)
    assert tuple(s.key for s in report.sections) == SECTIONS
    assert set(SECTIONS) <= set(page.ids)
    for one in report.sections:
        assert (one.state == "made") == (not one.why)
        assert one.body or one.why
        assert "Internal error" not in one.why


def test_the_page_is_well_formed_and_asks_for_nothing(report):
    page = Page(report.html)
    assert page.wrong == []
    assert len(page.ids) == len(set(page.ids))
    assert "script" not in page.tags
    assert all(link.startswith(("#", "data:")) for link in page.links)
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", report.html)) <= set(page.ids)
    assert "default-src &#x27;none&#x27;" in report.html
    assert len(report.html.encode()) < 5_000_000


def test_names_are_text(votes):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in votes.html
    assert "<script" not in votes.html
    assert "\u202e" not in votes.html
    assert "\\u202ec" in votes.html


def test_the_majority_is_counted_and_ruled(votes):
    # half of the eight inputs have more ones
    assert "8 of 8 rows (100.0%)" in text_of(votes, "data")
    counts = text_of(votes, "counts")
    assert "Each of the 8 possible inputs was decided" in counts
    assert "no450.00%yes450.00%" in counts
    rules = text_of(votes, "rules")
    # two of three suffice, three ways, each on a quarter of the inputs
    assert rules.count("25 % of all inputs") == 6
    assert "Exact" in rules


def test_two_votes_are_a_reason_and_one_change_is_enough(votes):
    # the first row decided for each class: (-1, -1, -1) and (-1, 1, 1)
    reasons = text_of(votes, "explanations")
    assert reasons.count("2 of 3 features") == 2
    assert "Row 0 is decided for no" in reasons
    assert "Row 3 is decided for yes" in reasons
    distances = text_of(votes, "robustness")
    assert "Row 0: 2 changes decide for yes" in distances
    assert "Row 3: 1 change decides for no" in distances


def test_certificates_are_carried(votes):
    names = [d.name for s in votes.sections for d in s.downloads]
    assert "tameness.certificate.json" in names
    assert "row-0.distance.certificate.json" in names
    for name in names:
        assert f'download="{name}"' in votes.html
    for one in (d for s in votes.sections for d in s.downloads):
        assert tc.recheck(one.data).verdict == "valid"


def test_what_cannot_be_made_says_why(relu, sine):
    for report in (relu, sine):
        assert section(report, "data").why == "No table was given: --data TABLE --target COL."
        for key in ("form", "rules", "counts"):
            assert "binarized network" in section(report, key).why
        for key in ("cases", "explanations"):
            assert "give --data TABLE" in section(report, key).why
    assert section(sine, "cells").state == "not-made"
    assert "one input" in section(sine, "cells").why


def test_a_rectifier_has_rules_from_its_cells():
    part = rules_part(subject_from(tc.expression("max(x, 0) - y"), "-1:1"), 20)
    said = Page(part.body).text
    # on either side of the kink, above and below the graph
    assert "Exact: 4 rules" in said
    assert "The rules hold over the domain." in said
    assert said.index("class 0 if") < said.index("class 1 if")


def test_rules_of_what_jumps_are_refused_with_the_reason():
    with pytest.raises(NotMadeError, match="piecewise linear"):
        rules_part(subject_from(tc.expression("sign(x)*y"), "-1:1"), 20)


def test_a_sine_on_the_line_is_refuted_with_its_witness(sine):
    assert "not tame" in text_of(sine, "tameness") or "locally tame" in text_of(sine, "tameness")
    assert section(sine, "gradient").state == "made"
    # 3 cos 0
    assert "3" in text_of(sine, "jacobian")


def test_a_clarke_set_of_very_many_vertices_is_told_by_its_generators():
    text = " + ".join(f"relu(x{k} + {k}*y)" for k in range(14))
    part = jacobian_part(subject_from(tc.expression(text), "-1:1"), 20)
    page = Page(part.body)
    assert "of 14 matrices: many kinks meet here" in page.text
    assert "gives an element of the set" in page.text
    assert "svg" in page.tags


def test_the_slice_of_a_wide_model_is_stated(relu):
    said = text_of(relu, "gradient")
    assert "a and b vary over the domain" in said
    assert "the other 3 input elements are fixed at the middle" in said


@pytest.mark.parametrize(
    ("text", "point", "radius"),
    [
        # the nearest point with x <= y is (1/2, 1/2)
        ("x - y", (1, 0), 0.5),
        # max(x, 0) <= 1/4 up to x = 1/4
        ("max(x, 0) - 1/4 + 0*y", (1, 0), 0.75),
    ],
)
def test_radii_enclose_the_distance_to_the_boundary(text, point, radius):
    subject = subject_from(tc.expression(text), "-1:1", at=point)
    shown = Page(re.sub(r"</t[dh]>", " ", robustness_part(subject, 20).body)).text
    row = re.search(r"the point of --at class 1 ([\d.e-]+) ([\d.e-]+)", shown)
    assert row is not None
    proved, otherwise = map(float, row.groups())
    assert proved <= radius <= otherwise
    assert otherwise - proved <= 0.05 * radius


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"names": ["a"]}, "1 names for 2 inputs"),
        ({"rule": "argmax"}, "does not fit 1 outputs"),
        ({"rows": (0,)}, "no table is given"),
    ],
)
def test_what_does_not_fit_is_refused(options, says):
    with pytest.raises(InputError, match=says):
        subject_from(tc.expression("x + y"), "-1:1", **options)


def test_a_label_beside_the_scores_is_no_class():
    """A classifier of scikit-learn gives probabilities and a label; three classes, not four."""
    rows, labels = load_iris(return_X_y=True)
    trained = LogisticRegression(max_iter=500).fit(rows, labels)
    model = tc.from_sklearn(trained)
    subject = subject_of(model, model.check("0:8"), title="iris")
    assert (subject.outputs, subject.rule) == (3, "argmax")
    assert (subject.decided(rows) == trained.predict(rows)).all()


def test_what_is_true_in_few_words_is_said_first(votes):
    text = text_of(votes, "rules")
    assert text.index("In short") < text.index("Rules of different classes")
    assert "if at least 2 of {" in text


def test_an_image_is_explained_on_its_pixels(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b,c,d,label\n1,1,1,1,1\n-1,1,-1,-1,0\n")
    model = tc.expression("sign(a + b + c + d - 2)")
    sample = sample_of(read_table(table), 4, 1, None, where="t")
    subject = subject_of(model, model.check(), title="four", sample=sample, rows=(0,), shape=(2, 2))
    part = explanations_part(subject, 10.0)
    assert "the pixels of the sufficient reason" in part.body
    assert "the pixels of the nearest change" in part.body


def test_many_inputs_get_a_few_rules():
    rng = np.random.default_rng(0)
    network = BinarizedNetwork(
        (
            Layer(rng.choice([-1.0, 1.0], (30, 3)), np.zeros(3)),
            Layer(rng.choice([-1.0, 1.0], (3, 2)), np.array([0.5, 0.0])),
        )
    )
    model = network.to_model()
    subject = subject_of(model, model.check(), title="wide", levels=(-1, 1))
    part = rules_part(subject, 10.0)
    assert "Proved: right for" in part.body
    assert "so no exact rules were looked for" in part.missing
    assert "Each of the 1,073,741,824 possible inputs was decided" in count_part(subject, 10.0).body


COLOURS = Schema(
    (Column("c", ("blue", "green", "red")),),
    tuple(Bit(0, "c", category=c) for c in ("blue", "green", "red")),
    (Group("one-hot", "c", (0, 1, 2)),),
    ("no", "yes"),
    Target("y", 1),
)


def coloured(tmp_path, **options):
    """A model that decides whether c is blue, with rows of which two were held out."""
    path = tmp_path / "t.csv"
    path.write_text("c,y\nred,yes\nblue,no\ngreen,yes\nblue,yes\n", encoding="utf-8")
    schema = replace(COLOURS, training=Training("hash", 4, (2, 3)))
    model = tc.expression("sign(r + 0*g + 0*b + 1/2)")
    # the inputs in the order of the categories
    table = read_table(path, target=None, schema=schema)
    sample = sample_of(table, 3, 1, schema, where="t")
    assert list(model.inputs) == ["r", "g", "b"]
    return subject_of(
        model, model.check(), title="c", sample=sample, schema=schema, rows=(1,), **options
    )


def test_the_nearest_change_is_one_that_can_occur(tmp_path):
    """Of the input 'c = blue' alone the decision depends: no colour at all cannot occur."""
    shown = re.sub(r"</t[dh]>", " ", robustness_part(coloured(tmp_path), 10).body)
    text = Page(shown).text
    assert "row 1 (line 3) yes 1 certificate 2" in text
    assert "Row 1: 2 changes decide for no" in text
    assert "c = blue 1 -1" in text


@pytest.mark.parametrize(
    ("digest", "says"),
    [
        ("hash", "held out of the training 2 1 (50.0%) 2 (100.0%)"),
        ("hash", "trained on 2 0 (0.0%) 1 (50.0%)"),
        ("other", "This is not the file that the model was trained on"),
    ],
)
def test_rows_of_the_training_stand_apart(tmp_path, digest, says):
    part = data_part(coloured(tmp_path, table_sha256=digest), 10)
    assert says in Page(re.sub(r"</t[dh]>", " ", part.body)).text
