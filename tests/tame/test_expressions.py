"""Verdicts on expressions whose answers are known by hand."""

import json

import pytest

import tamecheck as tc
from tamecheck.ir.structure import Structure
from tamecheck.tame.verdict import Verdict

TAME = [
    ("max(x,0)-3*sign(y)", None, "semilinear"),
    ("x^2*y+sqrt(abs(x))", None, "semialgebraic"),
    ("sin(x)", "x=-10:10", "an"),
    ("sin(atan(x))", None, "an"),
    ("exp(x)+sin(tanh(y))", None, "an-exp"),
    ("erf(x)", None, "pfaffian"),
    ("clip(round(x),-1,1)", None, "semilinear"),
    ("clip(3*round(x/7)+1,-1,1)*y", None, "semilinear"),
    ("sign(floor(x)-5)", None, "semilinear"),
    ("floor(x)*y", "x=-3:3,y=-1:1", "semilinear"),
    ("sin(x)*0", None, "semilinear"),
    ("sin(x)-sin(x)", None, "semilinear"),
    ("sin(1)*x", None, "semilinear"),
    ("log(x)", "x=1:2", "an"),
    ("log(1+exp(x))", None, "exp"),
    ("log(2+sin(x))", "x=-1:1", "an"),
    ("x/(2+y^2)", None, "semialgebraic"),
    ("sin(1/(1+exp(x)))", None, "an-exp"),
    ("cos(x/(1+x^2))", None, "an"),
    ("cos(x*y/(1+x^2+y^2))", None, "an"),
    ("2^x", None, "exp"),
    ("tan(x)", "x=-1:1", "an"),
    ("x^(1/3)", "x=0:inf", "semialgebraic"),
    ("asin(x)", "x=-1:1", "an"),
]


NATURAL = [
    ("log(x)", "x=-1:1", "exp", "x > 0"),
    ("1/x", None, "semialgebraic", "x ≠ 0"),
    ("x^y", None, "exp", "x > 0"),
    ("acosh(x)", "x=-2:2", "an", "x ≥ 1"),
    ("asin(x)", None, "an", "-1 ≤ x ≤ 1"),
    ("tan(x)", "x=0:9", "an", "cos(x) ≠ 0"),
    ("sqrt(x-1)", None, "semialgebraic", "x-1 ≥ 0"),
    ("exp(log(x))", None, "exp", "x > 0"),
    ("sin(asin(x))", None, "an", "-1 ≤ x ≤ 1"),
    ("x/x", None, "semilinear", "x ≠ 0"),
    ("x^(-2)", None, "semialgebraic", "x ≠ 0"),
]


@pytest.mark.parametrize(("text", "box", "structure", "needs"), NATURAL)
def test_a_partial_function_is_judged_on_its_natural_domain(text, box, structure, needs):
    answer = tc.expression(text).check(box)
    assert answer.verdict is Verdict.TAME
    assert answer.structure.public_name == structure
    assert answer.defined.total is not True
    assert [need.needs for need in answer.defined.where] == [needs]
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"
    assert answer.certificate["claim"].get("total") is not True


def test_a_logarithm_of_numbers_near_0_is_not_restricted_analytic():
    assert [s.value for s in tc.expression("log(x)").check("0:1").structures] == ["exp"]
    assert [s.value for s in tc.expression("atanh(x)").check("-1:1").structures] == ["exp"]
    assert [s.value for s in tc.expression("x^sqrt(2)").check("0:1").structures] == ["exp"]
    assert tc.expression("log(x)").check("1/9:1").structure is Structure.AN


def test_rounding_what_is_unbounded_on_bounded_sets_has_no_finitely_many_values():
    answer = tc.expression("floor(1/x)").check("1/9:1")
    assert answer.properties.piecewise_constant
    answer = tc.expression("floor(1/x)").check("0:1")
    assert answer.properties.piecewise_constant is None
    assert answer.properties.piecewise_linear is None


@pytest.mark.parametrize(
    "text",
    ["tan(x)-tan(x)", "sqrt(sin(x))*0", "sin(x)/sin(x)", "0*log(sin(x))", "step(-1)*tan(x)"],
)
def test_a_dead_operand_still_cuts_the_domain(text):
    assert tc.expression(text).check().verdict not in (Verdict.TAME, Verdict.LOCALLY_TAME)


@pytest.mark.parametrize(
    ("text", "structure"),
    [
        ("log(x)-log(x)", "semilinear"),
        ("0*sqrt(x^2-2)", "semialgebraic"),
        ("0*tan(0*x)", "semilinear"),
        ("log(exp(x)-1)-log(exp(x)-1)", "exp"),
    ],
)
def test_what_is_zero_where_it_is_defined_is_as_definable_as_its_domain(text, structure):
    answer = tc.expression(text).check()
    assert answer.structure.public_name == structure
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"


def test_an_exponent_that_varies_needs_a_positive_base():
    answer = tc.expression("x^floor(y)").check("y=0:9")
    assert answer.structure.public_name == "exp"
    assert answer.defined.where[0].needs == "x > 0"
    assert tc.expression("x^3").check().defined.total


def test_a_theorem_about_a_function_on_all_of_a_set_ticks_it():
    for text, box in (("log(x)", "0:1"), ("sqrt(x)", None), ("1/x", None)):
        told = " ".join(c.theorem for c in tc.expression(text).check(box).consequences)
        assert "Cell decomposition" in told
        for name in ("Kurdyka", "exponent:", "Sard", "growth", "Path", "subgradient", "ReLU form"):
            assert name not in told
    told = tc.expression("log(x)").check("1:2").consequences
    assert any("defined on the whole domain: every op on the way is" in c.hypotheses for c in told)


# a bound that follows from arithmetic needs no trust
BOUNDED = [
    *(("sin(relu(x))", "-inf:3", "an"), ("floor(exp(x))", "-inf:0", "exp")),
    *(("floor(exp(-x^2))", None, "exp"), ("sin(exp(x))", "-inf:2", "an-exp")),
    *((text, None, "semialgebraic") for text in ("floor(10*x/(1+x^2))", "floor(x/(1+x^2)*10)")),
    *(("sin(0*x)", None, "semilinear"), ("round(x/3)", "-9:9", "semilinear")),
    ("sin(3*x/(1+x^2)-y/(2+y^2))", None, "an"),
    ("sin(x/exp(y))", "x=-1:1,y=0:inf", "an-exp"),
]


@pytest.mark.parametrize(("text", "box", "structure"), [*TAME, *BOUNDED])
def test_tame_with_a_valid_certificate(text, box, structure):
    answer = tc.expression(text).check(box)
    assert answer.verdict is Verdict.TAME
    assert answer.structure.public_name == structure
    assert not (answer.trusted and (text, box, structure) in BOUNDED)
    report = tc.recheck(json.dumps(answer.certificate))
    assert report.verdict == ("incomplete" if answer.trusted else "valid"), report


def test_a_quotient_bound_is_proved_by_squares_not_trusted():
    assert tc.expression("cos(x/(1+x^2))").check().trusted == ()


def test_a_bound_that_only_a_solver_finds_is_named_as_trusted():
    answer = tc.expression("cos(x/((x^2+y^2-1)^2+1/9))").check()
    assert answer.verdict is Verdict.TAME
    assert any("z3" in line for line in answer.trusted)
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "incomplete"


@pytest.mark.parametrize("text", ["floor(x)", "floor(x)+2*y", "max(ceil(x), y/3)", "x-floor(x)"])
def test_rounding_with_rational_slopes_is_locally_tame(text):
    answer = tc.expression(text).check()
    assert answer.verdict is Verdict.LOCALLY_TAME
    assert answer.structures == (Structure.LOCAL,)
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"


@pytest.mark.parametrize(
    "text",
    [
        "sin(x)",
        "cos(x)+x",
        "x*sin(x)",
        "sin(x)*cos(y)",
        "abs(sin(2*x))",
        "x^2*sin(x)+3*x",
        "floor(x)*y",
        "x*floor(x)",
    ],
)
def test_not_tame_with_a_valid_refutation(text):
    answer = tc.expression(text).check()
    assert answer.verdict is Verdict.NOT_TAME
    assert answer.witness is not None
    report = tc.recheck(json.dumps(answer.certificate))
    assert report.verdict == "valid", report


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("abs(sin(1/x))*abs(cos(1/x^2))", "x=-1:1"),
        ("floor(x)-floor(sqrt(2)*x)", None),
        ("sin(x*sin(x))*sin(x)", None),
    ],
)
def test_what_is_open_stays_unknown_and_names_the_node(text, box):
    answer = tc.expression(text).check(box)
    assert answer.verdict is Verdict.UNKNOWN
    assert answer.certificate is None
    assert answer.open
    assert all(item.node and item.why and item.settles for item in answer.open)


def test_alternative_structures_are_all_reported():
    answer = tc.expression("tanh(x)").check("x=-1:1")
    assert answer.structures == (Structure.AN, Structure.EXP)


def test_an_empty_time_budget_gives_no_verdict():
    answer = tc.expression("sin(x)+x").check(timeout=0)
    assert answer.verdict is Verdict.UNKNOWN


def test_a_box_with_a_wrong_name_lists_the_inputs():
    with pytest.raises(tc.InputError, match="Inputs: x"):
        tc.expression("sin(x)").check("z=0:1")


CUT_OFF = [
    ("min(max(floor(x),-2),2)", "semilinear"),
    ("max(min(2*ceil(x/4)+1,9),-7)", "semilinear"),
    ("max(cos(x),x^2)", "an"),
    ("clip(x+sin(x),-1,1)", "an"),
    ("sin(x*step(1-abs(x)))", "an"),
    ("sin(1/x)*step(abs(x)-1)", "an"),
    ("sin(1/(x-3))*step(abs(x-3)-1)", "an"),
    ("min(max(floor(2^(y^2)),-2),3)", "exp"),
    ("sin(x)*sin(y)*step(1-abs(x))*step(1-abs(y))", "an"),
]


@pytest.mark.parametrize(("text", "structure"), CUT_OFF)
def test_what_is_cut_off_is_tame_in_each_of_finitely_many_cases(text, structure):
    answer = tc.expression(text).check()
    assert answer.structure.public_name == structure
    assert "cases of" in str([line.why for line in answer.derivation])
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"


@pytest.mark.parametrize(
    "text",
    ["min(max(floor(x)+floor(y),-2),2)", "sin(x)*step(x)", "max(cos(x),1/2)", "sin(1/x)*step(x)"],
)
def test_what_is_not_cut_off_on_both_sides_is_not(text):
    assert tc.expression(text).check().verdict is not Verdict.TAME


DECIDED = [
    ("max(sin(x),2)", "semilinear"),
    ("clip(cos(x),2,3)", "semilinear"),
    ("relu(sin(x)-1)", "semilinear"),
    ("max(sin(x)-2,x^2)", "semialgebraic"),
    ("step(sin(x^2)+1)", "semilinear"),
    ("floor(sin(x)/3+1/2)", "semilinear"),
    ("relu(-1-x^2)*sin(x)", "semilinear"),
    ("max(sin(y)-2,sqrt(x))", "semialgebraic"),
    ("floor(sigmoid(x))", "semilinear"),
]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "log(sigmoid(x))",
            "log(1-sigmoid(x))",
            "1/exp(x)",
            "log(exp(x)+exp(y))",
            "atanh(tanh(x))",
        ),
        *("log(softplus(x))", "exp(x)/(exp(x)+exp(y))", "x-log(exp(x)+exp(y))", "1/(1+sqrt(x^2))"),
        *("acos(tanh(x))", "log(1-tanh(x)^2)", "sqrt(cosh(x)-1)", "sqrt(2-sin(x))*0+x"),
    ],
)
def test_strict_signs_show_that_a_function_is_total(text):
    answer = tc.expression(text).check()
    assert answer.verdict is Verdict.TAME
    assert answer.defined.total is True
    assert answer.defined.where == ()
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"


FEW = [
    ("x*step(abs(x)-1/2)", "semilinear"),
    ("x*step(x-y)", "semilinear"),
    ("2^clip(round(x),0,3)", "semilinear"),
    ("exp(step(x))*y", "semilinear"),
    ("sigmoid(step(x)+step(y))", "semilinear"),
    ("sign(x)*min(round(abs(x)*4),7)/4", "semilinear"),
]


@pytest.mark.parametrize(("text", "structure"), [*DECIDED, *FEW])
def test_ranges_decide_what_a_node_is_and_few_values_need_no_structure(text, structure):
    answer = tc.expression(text).check()
    assert answer.structure.public_name == structure
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"


NOWHERE = [
    "log(-1-x^2)",
    "asin(2+x^2)",
    "sqrt(sin(x)-2)",
    "tan(x)*log(-1-x^2)",
    "log(0)*x",
    "(-2)^x",
]


@pytest.mark.parametrize("text", NOWHERE)
def test_what_is_nowhere_defined_is_tame_and_says_so(text):
    answer = tc.expression(text).check()
    assert answer.structure.public_name == "semilinear"
    assert answer.defined.empty
    assert not answer.consequences
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"


@pytest.mark.parametrize(
    ("text", "box", "point"),
    [("log(x)", "-1:1", 0), ("1/x", None, 0), ("sqrt(x-1)", "-4:4", 0), ("sqrt(1-x)", "1:3", 2)],
)
def test_a_point_shows_that_a_function_is_not_total(text, box, point):
    defined = tc.expression(text).check(box).defined
    assert (defined.total, defined.empty) == (False, None)
    assert defined.undefined_at == {"x": (point,)}


@pytest.mark.parametrize(
    "text", ["sin(x/(1+abs(x)))", "cos(x^3/(1+abs(x)^3))", "sin(relu(x)/(1+abs(x)))"]
)
def test_quotients_of_absolute_values_are_bounded_without_a_solver(text):
    answer = tc.expression(text).check()
    assert answer.trusted == ()
    assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"
