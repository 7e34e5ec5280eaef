"""Sixty expressions with verdicts derived by hand; none may ever be claimed wrongly.

A verdict in brackets, as in ``(not-tame)``, is the truth where no proof is known to the search:
then ``unknown`` is accepted as well, and nothing else.
"""

import json

import pytest

import tamecheck as tc

TABLE = """
clip(round(clip(round(3*x),-2,2)/2),-1,1) |                 | tame semilinear
clip(floor(x^2),0,5)                      |                 | tame semialgebraic
clip(round(exp(x)),0,5)                   |                 | tame exp
floor(clip(x,0,3))                        |                 | tame semilinear
floor(tanh(x))                            |                 | tame exp
clip(-floor(-x),-1,1)                     |                 | tame semilinear
floor(x)-floor(x)                         |                 | tame semilinear
round(x)*0                                |                 | tame semilinear
floor(x)*floor(1/2)                       |                 | tame semilinear
ceil(1/(1+x^2))                           |                 | tame semilinear
floor(x)                                  | -7:9            | tame semilinear
(x-floor(x))*y                            | x=0:1           | tame semialgebraic
floor(floor(x)/2)                         |                 | locally-tame
floor(x)-2*floor(x/2)                     |                 | locally-tame
clip(x-floor(x),0,1/2)                    |                 | locally-tame
abs(x-round(x))                           |                 | locally-tame
floor(x)*floor(5/2)                       |                 | locally-tame
floor(x)                                  | 0:inf           | locally-tame
(x-floor(x))*y                            |                 | (not-tame)
floor(x)*y                                | y=0:1           | (not-tame)
floor(sqrt(2)*x)                          |                 | not-tame
floor(sqrt(2)*x)+floor(x)                 |                 | not-tame
floor(x)^2                                |                 | not-tame
sin(x*exp(-x^2))                          |                 | tame an-exp
sin(3/7*x*exp(-x^2/5))                    |                 | tame an-exp
floor(step(round(x-1*x-4)-3)/2)           |                 | tame semilinear
cos(x*exp(-x))                            | 0:inf           | tame an-exp
cos(x*exp(-x))                            |                 | not-tame
floor(exp(x))                             |                 | (not-tame)
sin(clip(x,-5,5))                         |                 | tame an
sin(sigmoid(x))                           |                 | tame an-exp
sin(x)                                    | 0:inf           | not-tame
x^2+sin(x)                                |                 | not-tame
x*sin(x)                                  |                 | not-tame
sin(x)^2                                  |                 | not-tame
sign(sin(x))                              |                 | not-tame
sin(x)+floor(y)                           |                 | not-tame
sin(x-y)                                  | x=0:1           | not-tame
sin(x);y                                  |                 | not-tame
cos(x)^2+sin(x)^2                         |                 | (tame)
step(sin(x)+2)                            |                 | (tame)
sin(x^2)                                  |                 | (not-tame)
sin(abs(x))                               |                 | (not-tame)
exp(-x)*sin(x)                            | 0:inf           | (not-tame)
x^2*sin(1/x)                              | -1:1            | not-tame
sin(1/x)                                  | 0:1             | not-tame
x*sin(1/x)                                | 1/100:1         | tame an
sin(1/x)                                  | 1:inf           | tame an
tan(x)                                    | 0:2             | tame an
tan(x)                                    | 2:4             | tame an
tan(x)                                    | 3/2:8/5         | tame an
tan(x)                                    | 8/5:47/10       | tame an
tan(atan(x)/2)                            |                 | tame an
asin(x)                                   | -1:2            | tame an
sqrt(1-x^2)                               | -1:1            | tame semialgebraic
sqrt(1-x^2)                               | -1:2            | tame semialgebraic
sqrt(x)                                   | -1/1000000000:1 | tame semialgebraic
log(x)                                    | 0:1             | tame exp
log(x)                                    | 1/1000000:inf   | tame exp
1/(x^2-2*x+1)                             |                 | tame semialgebraic
1/(x^2+x+1)                               |                 | tame semialgebraic
x^y                                       | x=1:2,y=0:1     | tame an
(-2)^x                                    |                 | tame semilinear
x^sqrt(2)                                 | 1:inf           | tame exp
x^x                                       | 0:1             | tame exp
erf(x)+exp(x)                             |                 | tame pfaffian
sin(x)                                    | x=1e300:1e301   | tame an
1/(sin(x)+2)                              | 0:1             | tame an
exp(-1/x)                                 | 0:1             | tame exp
"""

CASES = [tuple(cell.strip() for cell in line.split("|")) for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("text", "box", "expected"), CASES)
def test_verdict(text, box, expected):
    answer = tc.expression(text).check(box or None)
    verdict, _, structure = expected.strip("()").partition(" ")
    allowed = {verdict, "unknown"} if expected.startswith("(") else {verdict}
    assert answer.verdict.value in allowed
    if structure:
        assert answer.structure.public_name == structure
    if answer.certificate is not None:
        assert tc.recheck(json.dumps(answer.certificate)).verdict == "valid"
