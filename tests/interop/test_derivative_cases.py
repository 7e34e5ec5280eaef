"""Clarke sets and implicit functions of formulas, against what is true by hand."""

import csv
import json

import pytest

import tamecheck as tc
from tamecheck.cli.entry import main

ZERO, DOWN = "0", "-1"


@pytest.fixture(scope="session")
def formulas(data):
    return data.parent / "cases" / "formulas"


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def at_of(text):
    return dict(part.split("=") for part in text.split(","))


def vertices(text, at, order):
    """The set's vertices, columns in the order of these inputs."""
    model = tc.expression(text)
    found = model.jacobian(at_of(at))
    columns = [list(model.inputs).index(name) for name in order]
    assert found.exact
    assert found.rests_on == "recomputation"
    return {tuple(tuple(str(row[k]) for k in columns) for row in v) for v in found.vertices}


def test_the_table_is_the_one_that_is_tested(formulas):
    known = [row["expression"] for row in table(formulas / "clarke.tsv")]
    assert known == [*SETS, *(text for text, _, _ in INSIDE), *NONE, *SMOOTH]


SETS = {
    "max(y-x^2,0)-max(y,0)": ("x=0,y=0", "xy", {((ZERO, ZERO),), ((ZERO, DOWN),)}),
    "max(x^2+y^2-1,0); max(y-1,0)": (
        "x=0,y=1",
        "xy",
        {
            ((ZERO, ZERO), (ZERO, ZERO)),
            ((ZERO, "2"), (ZERO, ZERO)),
            ((ZERO, "2"), (ZERO, "1")),
        },
    ),
    "max(tanh(x)-y,0); max(x-y,0)": (
        "x=0,y=0",
        "xy",
        {(a, b) for a in ((ZERO, ZERO), ("1", DOWN)) for b in ((ZERO, ZERO), ("1", DOWN))},
    ),
}
INSIDE = [("max(x+y-z^2,0)-max(x,0)-max(y,0)", "x=0,y=0,z=0", (DOWN, DOWN, ZERO))]
NONE = ["step(y-x^2)-step(y)", "x^2*step(y)", "x^2*sign(y)"]
SMOOTH = [
    "sqrt(max(0,x^2-z^2))",
    "sqrt(x^2+y^2)",
    "sqrt(x^2)",
    "asin(clip(x,-1,1))",
    "0*sqrt(abs(x))+x",
    "max(x,0)*sqrt(max(x-5,0))",
    "log(x)+y",
]


@pytest.mark.parametrize("text", SMOOTH)
def test_ops_that_are_not_lipschitz_or_have_no_value(text, formulas, capsys):
    (row,) = (row for row in table(formulas / "clarke.tsv") if row["expression"] == text)
    slopes = {"{0}": {"0"}, "{1}": {"1"}, "[-1,1]": {"-1", "1"}}
    truth = row["what is true"].split(":")[0]
    code = main(["diff", "--expr", text, "--at", row["at"], "--json"])
    out, err = capsys.readouterr()
    if truth in slopes:
        assert code == 0
        entries = {a for vertex in json.loads(out)["vertices"] for line in vertex for a in line}
        assert entries == slopes[truth]
    elif truth.startswith("outside"):
        assert code == 2
        assert "log(x)" in err
        assert "argument -1" in err
    else:
        # a set without finitely many vertices
        assert truth.startswith("the unit disc")
        found = json.loads(out)
        assert code == 0
        assert found["vertices"] is None
        assert len(found["parts"]) == 1


@pytest.mark.parametrize("text", SETS)
def test_sets_of_curved_kinks(text):
    at, order, expected = SETS[text]
    assert vertices(text, at, order) == expected
    assert vertices("; ".join(reversed(text.split("; "))), at, order) == {
        tuple(reversed(matrix)) for matrix in expected
    }


@pytest.mark.parametrize(("text", "at", "element"), INSIDE)
def test_an_element_of_a_set_of_curved_kinks(text, at, element):
    found = tc.expression(text).jacobian(at_of(at))
    assert found.exact
    assert found.contains([list(element)])


@pytest.mark.parametrize("text", NONE)
def test_no_set_where_jumps_are_arbitrarily_near(text, capsys):
    assert main(["diff", "--expr", text, "--at", "x=0,y=0", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["vertices"] == []
    assert "jumps" in answer["why"]


def test_implicit_functions(formulas):
    rows = table(formulas / "implicit.tsv")
    assert len(rows) == 5
    for row in rows:
        names = {"y": ["x", "q"], "x": ["p"]}[row["unknowns"]]
        at = {row["unknowns"]: "0"} | dict.fromkeys(names, "0")
        if "=" in row["at"]:
            at = at_of(row["at"])
        found = tc.implicit(row["equations"], unknowns=[row["unknowns"]], at=at)
        proved = row["what is true"].startswith("proved")
        assert (found.verdict.value == "proved") is proved, row["equations"]


def test_a_derivative_that_is_proved(formulas):
    # by y the equation has the derivative -1, and by x it has 0
    row = table(formulas / "implicit.tsv")[-1]
    found = tc.implicit(row["equations"], unknowns=["y"], at=at_of(row["at"]))
    assert found.vertices == (((0,),),)
    assert found.pairs[0][0] == ((-1,),)
