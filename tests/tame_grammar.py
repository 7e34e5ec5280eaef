"""Random formulas whose tameness is known from the way they are built.

`RULES` is a context-free grammar. A symbol stands for a class of functions, and each of its
productions stays in the class, so what a formula is follows from the symbol that it came from; the
productions of `KINDS` say which verdict is true of it. ``{lin}`` is an expansion of ``lin``;
``{lin.a}`` is the same text wherever it stands in one production.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from tame_truth import Row, Truth

__all__ = ["KINDS", "Formula", "formulas"]


class Kind(NamedTuple):
    """Formulas of one origin: the truth, and what to choose from.

    ``least`` says that no smaller structure of the list is true.
    """

    name: str
    truth: str
    weight: int
    boxes: tuple[str | None, ...]
    least: bool
    templates: tuple[str, ...]


class Formula(NamedTuple):
    """A question with its answer, and where it comes from."""

    kind: str
    row: Row


_RULES = """
# numbers, inputs, roundings
p = 1 | 2 | 3 | 1/2 | 0.3 | 5/4
q = 2 | 3 | 1/2 | 0.3 | 7 | -1 | -3/2 | -4 | 5/4
in = x | x | y
rnd = floor | ceil | round
# piecewise linear with rational slopes and finitely many pieces
lin = {in} | {q}*{in}+{q} | {lin}+{lin} | {q}*{lin} | max({lin},{lin}) | min({lin},{q}) |
    abs({lin}) | relu({lin}) | clip({lin},-1,2) | step({lin}) | sign({lin}) |
    floor(clip({lin},-3,3)) | round({q}*clip({lin},-2,2)) | {lin}*step({lin}) |
    sign({lin})*{lin} | {sat}
# rounding of what is unbounded, with few values left
sat = clip({rnd}({q}*{lin}+{q}),-2,3) | min(max({rnd}({lin}),-1),4) |
    max(min({q}*{rnd}({lin})+{q},7),-5) | max(-2,min({rnd}({lin})/4,1)) | step({rnd}({lin})-{q}) |
    sign({rnd}({lin})) | relu({rnd.r}({lin.a}))-relu({rnd.r}({lin.a})-4) |
    min(abs({rnd}({lin})),5) |
    sign({lin.a})*min({rnd}(abs({lin.a})*4),7)/4 | relu(2-abs({rnd}({lin}))) |
    min(relu({rnd}({lin})),3) | step({rnd}({lin.a})-1)+step({rnd}({lin.a})-2) |
    1-step({rnd}({lin}))
# definable in the field of reals
alg = {lin} | {in}^2 | 1/{in} | sqrt({in}) | {alg}+{alg} | {alg}*{alg} | {alg}/{alg} |
    sqrt({alg}) | {alg}^(1/3) | abs({alg})^(3/2) | {alg}^3 | {alg}^(-1) | max({alg},{alg}) |
    relu({alg}) | step({alg}) | clip({alg},-1,2) | clip({rnd}({alg}),-2,3) |
    floor(3/(1+{alg}^2)) | round(3*clip({alg},-1,1)) | {lin}*{sat}
# bounded and definable in the reals with restricted analytic functions
ban = clip({alg},-2,3) | atan({alg}) | 1/(1+{alg}^2) | {in.a}/(1+abs({in.a})) |
    {in.a}/(1+{in.a}^2) | {in.a}/sqrt(1+{in.a}^2) | min(abs({alg}),4) | min(max({alg},-2),1/2) |
    asin({alg}) | step({alg}) | sin({ban}) | {ban}+{ban} | {ban}*{ban} | {q}*{ban} |
    x*y/(1+x^2+y^2)
an = sin({ban}) | cos({ban}) | atan({alg}) | tan({ban}) | exp({ban}) | tanh({ban}) | erf({ban}) |
    softplus({ban}) | 2^{ban} | log({p}+abs({ban})) | acos({alg}) | {alg}+{an} | {an}*{an} |
    {an}/{an} | sqrt({an}) | max({an},{alg}) | clip({rnd}({an}),-2,2) | floor({ban}) | atan({an})
# definable in the reals with exp
ex = exp({alg}) | log({alg}) | sigmoid({alg}) | tanh({alg}) | softplus({alg}) | sinh({lin}) |
    cosh({lin}) | asinh({alg}) | acosh({alg}) | atanh({alg}) | 2^{alg} | abs({alg})^{alg} |
    {alg}^{lin} | {alg}+{ex} | {ex}*{ex} | {ex}/{ex} | log({ex}) | exp({ex}) | sqrt({ex}) |
    max({ex},{alg}) | step({ex}) | clip({rnd}({ex}),-2,2) | round(3*tanh({ex})) |
    log(1+exp({alg})) | {alg}/(1+exp(-{alg}))
# bounded and definable in the reals with restricted analytic functions and exp
bex = tanh({ex}) | sigmoid({ex}) | exp(-{alg}^2) | exp(-abs({ex})) | 1/(1+exp({ex})) |
    1/cosh({alg}) | atan({ex}) | clip({ex},-2,3) | softplus(-abs({alg})) | exp(min({alg},1)) |
    1/(1+{ex}^2) | sin({bex}) | {bex}*{ban} | {bex}+{bex}
ae = sin({bex}) | cos({bex}) | atan({ex}) | {ex}*{an} | {ex}+{an} | exp({an}) | log({an}) |
    {ae}*{ae} | {alg}/{ae} | tanh({ae}) | max({ae},{alg}) | tan({bex})
pf = erf({alg}) | erf({ae}) | {in}*erf({ex}) | exp({pf}) | sin(erf({alg})) | {pf}+{an} |
    {pf}*{ae} | log(2+erf({pf})) | sqrt({pf}) | x*(1+erf(x/sqrt(2)))/2
# total, and bounded on bounded sets
tot = {lin} | sin({tot}) | exp({lin}) | cos({tot})*{lin} | {tot}*{tot} | {tot}+{tot} |
    tanh({tot}) | erf({tot}) | {rnd}({tot}) | softplus({tot}) | atan({tot}) | max({tot},{tot}) |
    step({tot}) | {lin}^2 | {rnd}({lin})*sin({lin})
totalg = {lin}*{lin} | {rnd}({lin})*{lin} | {totalg}+{totalg} | max({totalg},{lin})
totlin = {rnd}({q}*{lin}) | {q}*{totlin}+{lin} | max({totlin},{lin}) | abs({totlin}) |
    step({totlin})
# functions of x, eventually continuous, that tend to +oo or -oo with x
u = x | {q}*x+{q} | x^2 | x^3-{q}*x | exp(x) | log(x) | log({p}+x^2) | sqrt({p}+x^2) | sqrt(x) |
    x+tanh(x) | softplus(x) | max(x,{q}) | relu(x)^2 | sinh(x) | asinh(x) | cosh(x) |
    x*sigmoid(x) | abs(x-{q}) | x*log(x) | x+sin(x)/2 | x/(1+exp(-x)) | x*atan(x) |
    x^2/(1+abs(x)) | x^(1/3)
# polynomials, in which trigonometric laws hold
w = x | {q}*x+{q} | x^2 | x*y | {q}*x-{q}*y | x^3+y
osc = sin({u}) | cos({u}) | sin({u}) | -cos({u})
# with a lower limit below the upper one at +oo
wave = {osc} | exp({osc}) | atan({osc}) | tanh({osc}) | sinh({osc}) | erf({osc}) |
    sigmoid({osc}) | softplus({osc}) | asinh({osc}) | sqrt(2+{osc}) | log(3/2+{osc}) |
    1/(2+{osc}) | asin({osc}) | acos({osc}) | relu({osc}-1/3) | max({osc},-1/4) |
    clip({osc},-1/2,1) | abs({osc}) | step({osc}-1/4) | sign({osc}) | round(2*{osc}) |
    floor(3*{osc}) | {osc}^2 | 2^{osc} | {q}*{wave} | {wave}+{q}
# functions of x of eventually constant sign, not 0
pos = {q} | x | 1+x^2 | exp({q}*x) | exp(-x^2) | sigmoid(x) | 2+tanh(x) | softplus(x) | cosh(x) |
    sqrt({p}+x^2) | 1/(1+x^2) | erf(x) | atan(x) | log(2+x^2) | abs(x)+{p} | x^3 | 1/cosh(x) |
    {pos}*{pos}
grow = x | 1+x^2 | exp(-x) | sigmoid(x) | sqrt(1+x^2) | 1/(1+x^2) | log(2+x^2)
# total and definable in the field of reals
s = {lin} | x^2 | x*y | sqrt(1+x^2) | x/(1+x^2) | {lin}^2 | abs(x)^(3/2) | 1/(2+y^2) | {q}
# not 0 at some rational y
g = y | exp(y) | 1+y^2 | sigmoid(y) | y^2-3 | relu(y) | erf(y)
# of constant sign near 0 from the right, and tending to +oo or -oo there
pos0 = {q} | x | x^2 | exp(-1/x^2) | 1+x^2 | exp(x) | sqrt(abs(x)) | 1/x | abs(x)
v = 1/x | {q}/x^2 | log(abs(x)) | 1/x-{q} | {q}/sqrt(abs(x)) | 1/sinh(x) | 1/tanh(x)
coef = {q} | x^2 | exp({q}*x) | x*exp(-x) | 1+x
# below 0 everywhere; total and not tame
below = -1-x^2 | -{p}-abs({lin}) | -1-exp({lin}) | sin(x)-2 | cos(x*y)-3/2 | -cosh({lin}) |
    -{p}-y^4 | -sigmoid({lin})
wild = sin(x) | cos({lin}) | sin(exp(x)) | floor(x) | x*sin(x) | sin(x^2) | floor(x)*y |
    exp(sin(x)) | round(x^2) | sin(floor(x))
ex0 = exp(x) | x^3 | exp(-2*x) | cosh(x) | sinh(2*x) | x*exp(x) | {q}
osc1 = sin(x) | cos({q}*x) | sin({q}*x+{q})
wave1 = {osc} | tanh({osc}) | {osc}^2 | abs({osc})
w1 = x | {q}*x+{q} | x^2 | exp(x)
lim = atan(x) | tanh({p}*x) | sigmoid(x) | exp(-x^2) | erf(x) | x*exp(-x)
lim1 = atan(x) | tanh({p}*x) | sigmoid(x) | erf(x) | 2+exp(-x)
nl = x^2 | exp(x) | sqrt(abs(x)) | log(1+x^2) | x^3 | x*y | x^2+y | softplus(x)
# of period pi or 2 pi in u, with a domain of infinitely many components
cut = tan({u}) | 1/sin({u}) | log(sin({u})) | sqrt(cos({u})) | atan(tan({u})) | asin(2*sin({u})) |
    acosh(2*cos({u})) | atanh(2*sin({u})) | sqrt(sin({u})-1/2) | (cos({u}))^(-2) |
    (sin({u}))^(1/3) | log(abs(sin({u}))) | sqrt(sin({u})-1)
"""

_KINDS = """
[semilinear] tame:semilinear x6 on - ; - ; x=0:inf ; x=-1:1 ; x=1:2,y=0:1
    {lin} | {lin}+{lin} | {sat}
[semialgebraic] tame:semialgebraic x8 on - ; - ; x=0:inf ; x=-1:1 ; x=1:2,y=0:1
    {alg} | {alg}+{alg}
[an] tame:an x8 on - ; - ; x=0:inf ; x=-1:1 ; x=1:2,y=0:1
    {an} | {an}+{alg}
[exp] tame:exp x8 on - ; - ; x=0:inf ; x=-1:1 ; x=1:2,y=0:1
    {ex} | {ex}+{alg}
[an-exp] tame:an-exp x6 on - ; - ; x=0:inf ; x=-1:1 ; x=1:2,y=0:1
    {ae} | {ae}+{ex}
[pfaffian] tame:pfaffian x4 on - ; - ; x=0:inf ; x=-1:1 ; x=1:2,y=0:1
    {pf} | {pf}+{ae}
[box, total] tame:an x3 on x=-2:3,y=-1:1 ; x=0:1,y=0:5 ; x=-0.5:0.5,y=1:2
    {tot} | {tot}+{tot}
[box, polynomial] tame:semialgebraic x2 on x=-2:3,y=-1:1 ; x=0:1,y=0:5 ; x=-0.5:0.5,y=1:2
    {totalg}
[box, rounding] tame:semilinear x2 on x=-2:3,y=-1:1 ; x=0:1,y=0:5 ; x=-0.5:0.5,y=1:2
    {totlin}
[box, partial] tame:an on x=1:2,y=0:1 ; x=0.1:1,y=-2:2
    tan({q}*x) | log({p}+x) | sin(1/x) | sin(log(x))*y | x^y | log(x)/x | x^x
[box, log at the edge] tame:exp least on x=0:1,y=1:2 ; x=0:2,y=-1:1
    log(x) | x*log(x) | x^sqrt(2) | exp(-1/x^2) | atanh(1-x) | log(x)*y | x^y | x^x
[two outputs] tame:an-exp
    {lin};{ae} | {ex};{an} | {alg};{ex}
[local] locally-tame x6
    {q}*{rnd}({q}*x+{q})+{lin} | max({q}*{rnd}({q}*x+{q}),{q}*y+{q}) | x-{rnd}(x) |
    abs(x-2*round(x/2)) | floor(2*x)-2*floor(x) | floor(3*x)-floor(x) | {rnd}(x)+{rnd}(y) |
    {rnd}({q}*x-{q}*y)+y | relu({rnd}({q}*x)) | {rnd}(relu(x)) | {rnd}(max(x,y)) |
    {rnd}({rnd}(x)/2) | min(max({rnd}(x)+{rnd}(y),-2),2) | step(x-floor(x)-1/2) |
    clip(x-floor(x),1/4,3/4) | sign(x-2*floor(x/2)-1/2) | max(x-floor(x),1/2)
[wave plus semialgebraic] not-tame x6
    {wave}+{s} | {wave}
[sign changes] not-tame x6
    {pos}*{osc}+{s} | {pos}*{osc} | {osc}/{pos}
[sign changes, other inputs] not-tame
    {g}*{osc}+{s} | {osc}+{g} | {g}*{wave}
[gated wave] not-tame x2
    {pos}*relu({osc}-1/3) | {pos}*sign({osc})+{s} | {pos}*step({osc})
[algebraic factor] not-tame
    (1+x^2)*{wave}+{s} | {wave}/(1+x^2) | x*{wave}
[near a point] not-tame x4 on - ; x=-1:1 ; x=0:1 ; x=0:1/2,y=0:1
    {pos0}*sin({v}) | {pos0}*cos({v})+{s} | exp(sin({v})) | x*abs(sin({v}))
[far to the left] not-tame
    sin(1/exp(x)) | sin(tanh(y)/exp(x)) | sin(1/sigmoid(x)) | floor(1/softplus(x)) | cos(exp(-x)) |
    sin(log(sigmoid({p}*x))) | {rnd}(log(softplus(x))) | cos(1/(1+erf(x))) | sin({p}/exp(x))+{s} |
    cos({q}/(exp(x)*softplus(x))) | sin(atan(y)/(1-tanh(x))) | {s}*0+cos(1/exp(x)+x)
[at another point] not-tame on - ; x=-5:5 ; x=0:3
    sin(1/(x-{p})) | (x-2)*cos(1/(x-2)^2)+{s} | sin(log(abs(x-1))) | sin(1/(x^2-1))
[exp-trig] not-tame x4
    {coef}*sin(2*x+{q})+{coef}*cos(x/3)+{ex0} | {coef}*sin(x^2)+{coef}*cos(3*x)+{ex0} |
    exp({q}*x)*({p}+sin({q}*x)) | {coef}*sin(2*x)*cos(3*x)+{ex0} | {coef}*sin(x)^3-{ex0} |
    cosh(x)*sin(x)+{ex0} | {coef}*cos(x)^2+{ex0}
[dominance] not-tame
    (x+sin({q}*x))*sigmoid(x) | (x+cos(x))*tanh({p}*x) | x*tanh(x)+{osc1} | softplus(x)+{osc1} |
    x+sin(x)/(1+exp(-x)) | (x^2+x*cos(x))*sigmoid({p}*x) | x*sigmoid(x)+{osc1}
[derivatives] not-tame
    exp(x+sin(x)) | exp(x^2+{osc1}) | sigmoid(x+sin(x)) | tanh(x+{p}*sin(x)) | log(1+x^2)+{osc1} |
    asinh(x)+{osc1} | log(x)+sin(x) | atan(x)+exp(-x)*sin(x)
[limits] not-tame x2
    {lim}+{osc} | {lim}+{wave} | {lim1}*{wave} | ({p}+{lim}^2)*{osc}
[rounding] not-tame x6
    {rnd}({nl}) | {rnd}(x)^2+{lin} | {rnd}({q}*x)^3 | {rnd}(x)*y | {rnd}(x)*x |
    {rnd}(x)*{rnd}(y) | exp({rnd}(x)) | atan({rnd}({q}*x+{q})) | tanh({rnd}(x))+{s} | 2^{rnd}(x) |
    sin({q}*{rnd}(x)+{q}) | cos({q}*{rnd}(x)+{q})+{s} | {rnd}(x)*{grow}+{s} | (x-{rnd}(x))^2 |
    exp(x-floor(x)) | x*(x-{rnd}(x)) | sqrt(1+{rnd}(x)^2) | {rnd}(x)+y^2 | {rnd}(x)+exp(y) |
    {rnd}(x)+sin(tanh(x)) | {q}*{rnd}(sqrt(2)*x)
[rounding near 0] not-tame on - ; x=-1:1 ; x=0:1 ; x=0:1/2,y=0:1
    {rnd}(1/x) | x*{rnd}({q}/x) | {rnd}(log(x))
[domain] not-tame x4
    {cut} | {cut}+{s} | {pos}*{cut} | 0*{cut} | {cut.a}-{cut.a} | relu({below})*{cut}
[several inputs] not-tame
    sin({q}*x+{q}*y) | sin(x*y) | x*sin(y) | sin(x-y^2)+{s} | cos(x)*exp(-x^2-y^2)
[dead factor] tame:semilinear x4
    relu({below})*{wild} | step({below})*{wild}+{lin} | max({below},0)*{wild} |
    (sign({below})+1)*{wild}+{lin} | relu({osc}-1)*{wild} | relu({osc}-2)*{wild}+{lin} |
    0*{wild} | {lin}+0*log(x) | relu({below})*log(x)
[dead factor, alive elsewhere] not-tame
    step(-abs(x))*sin(y) | step(-x^2)*{rnd}(y)*y
[dead term] tame:semialgebraic
    {alg}+relu({below})*{wild} | {alg}*step({below})
[dead argument] tame:semilinear
    max({below},relu({lin})) | min(relu({lin}),-{below}*0)
[hidden by a maximum] tame:semialgebraic x2
    max({osc},1+{alg}^2) | min({wave1},-3-{alg}^2) | max(sin({wild}),2+abs({alg}))
[constant by range] tame:semilinear x2
    clip({osc},2,3) | relu({osc}-1) | step({osc}+1) | floor({osc}/3+1/2) | round({osc}/3)+{lin} |
    ceil({osc}/4+1/2) | sign({osc}-3/2) | max(sin({wild}),{p}+1) | round({osc}/(3+x^2)) |
    floor(1/(2+{lin}^2)) | round(2+sin(x)/(3+y^2)) | abs({osc.a}+1)-{osc.a}
[not constant after all] not-tame
    floor({osc}/2-3/2) | floor(2+sin(x)/(1+x^2)) | floor(exp(-x^2)*sin(x)) | step({osc}-1) |
    clip(exp(x)+sin(x),-5,5) | max({osc},1/2-exp(-x)) | ceil(cos(x)/(1+x^2))
[middle only] tame:an x2
    max(cos(x),x^2) | max({q}*sin(x),abs(x)-2) | min(cos(x),4-x^2) | clip(x+sin(x),-{p},{p}) |
    relu(1-x^2+sin(x)) | max(x^2,sin(exp(x))) | sin({w1})*relu({p}-abs(x)) |
    cos({w1})*relu({p}-x^2)^2 | sin({w1})*step({p}-abs(x)) | sin(x*step({p}-abs(x))) |
    sin(1/x)*step(abs(x)-{p}) | floor({q}*x)*relu(2-abs(x)) |
    sin(clip(x,0,{p}))+clip(x+floor(x),-1,1)
[bounded in disguise] tame:an-exp x3
    sin({q}*atan({alg})) | sin(tanh({q}*x))*{ex} | cos({q}*sigmoid({ex})) | sin(x*exp(-x^2)) |
    sin(x^2/(1+x^4)) | cos({p}*exp(-abs(x))) | sin(log(1+1/(1+x^2))) | {rnd}({q}*tanh({ex})) |
    {rnd}({q}*atan({alg})) | tan({rnd}({p}*sigmoid({ex}))) | {rnd}(x*exp(-x^2)) |
    {rnd}({q}*x/(1+x^2))
[quantiser of a formula] tame:exp x2
    clip({rnd}({q}*exp({lin})),0,5) | min(max({rnd}({ex}),-2),3) | {ex}*step({rnd}({lin})-1) |
    sign({rnd}({ex}))*{lin} | 2^clip({rnd}({lin}),-3,3) |
    exp(-relu({rnd.r}({lin.a})))*relu(1-relu({rnd.r}({lin.a}))) | log(1+min(relu({rnd}({alg})),7))
[finitely many values] tame:semilinear x2
    2^clip({rnd}({q}*x),0,3) | sin(clip({rnd}(x),-2,2)) | {lin}*clip({rnd}(x),-1,1) |
    exp({sat})+{lin} | tanh(sign({lin}))*{lin} | {sat}^2 | floor({sat}/2)
[nowhere defined] tame:semilinear
    log({below}) | sqrt(sin({u})-2) | {wild}+sqrt({below}) | asin(2+x^2) | log({osc}-3/2) |
    atanh(2+{osc}) | tan(x)*log(-1-x^2) | acosh({osc}/2)
[identities] tame:semilinear x3
    sin({w.a})^2+cos({w.a})^2 | cos(2*{w.a})-2*cos({w.a})^2+1 |
    sin(2*{w.a})-2*sin({w.a})*cos({w.a}) |
    sin({w.a}+{w.b})-sin({w.a})*cos({w.b})-cos({w.a})*sin({w.b}) | sin(-{w.a})+sin({w.a})+{lin} |
    cos(-{w.a})-cos({w.a}) | exp({w.a})*exp(-{w.a}) | exp({w.a}+{w.b})-exp({w.a})*exp({w.b}) |
    cosh({w.a})^2-sinh({w.a})^2 | log(exp({lin})) | floor({q.a}*x+3)-floor({q.a}*x+3) |
    floor({lin.a}+3)-floor({lin.a}) | ceil({lin.a})+floor(-{lin.a}) |
    {wild.a}*{wild.b}-{wild.b}*{wild.a} | ({wild.a}+y)-(y+{wild.a}) |
    (sin({w.a})+1)^2-sin({w.a})^2-2*sin({w.a}) |
    max({wild.a},{wild.b})-min({wild.a},{wild.b})-abs({wild.a}-{wild.b}) |
    relu({wild.a})-relu(-{wild.a})-{wild.a} | sqrt({wild.a}^2)-abs({wild.a}) |
    abs({wild.a})-abs(-{wild.a}) | sin({wild.a})^2+cos({wild.a})^2
"""
"""A kind: its name, the truth, how often it is drawn, the boxes; below it, its productions."""


def _productions(text: str) -> tuple[str, ...]:
    return tuple(production.strip() for production in text.split("|"))


def _read_rules(text: str) -> dict[str, tuple[str, ...]]:
    lines = [line for line in text.strip().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\n    ", " ").splitlines()
    pairs = (line.split(" = ", 1) for line in joined)
    return {symbol: _productions(rest) for symbol, rest in pairs}


def _read_kinds(text: str) -> tuple[Kind, ...]:
    found = []
    for part in text.strip().split("\n["):
        head, _, rest = part.removeprefix("[").partition("\n")
        name, truth, weight, least, boxes = _HEAD.fullmatch(head).groups()
        named = tuple(None if box == "-" else box for box in (boxes or "-").split(" ; "))
        found.append(Kind(name, truth, int(weight or 1), named, bool(least), _productions(rest)))
    return tuple(found)


_HEAD = re.compile(r"(.*)\] (\S+)(?: x(\d+))?( least)?(?: on (.*))?")
RULES = _read_rules(_RULES)
KINDS = _read_kinds(_KINDS)
_HOLE = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
_LEAVES = {"p", "q", "in", "rnd"}


def _expand(symbol: str, depth: int, rng: random.Random) -> str:
    """A random text of a symbol; a short one when the depth is used up."""
    rules = RULES[symbol]
    if depth <= 0:
        holes = [{hole[0] for hole in _HOLE.findall(rule)} for rule in rules]
        leaves = tuple(r for r, used in zip(rules, holes, strict=True) if used <= _LEAVES)
        others = tuple(r for r, used in zip(rules, holes, strict=True) if symbol not in used)
        rules = leaves if len(leaves) > 1 else others
    return _fill(rng.choice(rules), depth - 1, rng)


def _fill(template: str, depth: int, rng: random.Random) -> str:
    """The template with an expansion in each hole, in parentheses where it is not an atom."""
    named: dict[str, str] = {}

    def text(hole: re.Match[str]) -> str:
        symbol, name = hole.groups()
        found = named.get(hole[0]) if name else None
        if found is None:
            found = _expand(symbol, depth, rng)
            named[hole[0]] = found
        whole = hole[0] == template
        return found if whole or _is_atom(found) else f"({found})"

    return _HOLE.sub(text, template)


def _is_atom(text: str) -> bool:
    """Whether the text is a number, a name, or one call or parenthesis as a whole."""
    head = re.match(r"\w*\(", text)
    if head is None:
        return re.fullmatch(r"[\w.]+", text) is not None
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and place >= head.end():
            return place == len(text) - 1
    return False


def formulas(count: int, seed: int = 0) -> list[Formula]:
    """Random formulas of all kinds, the same for the same seed."""
    rng = random.Random(seed)
    weights = [kind.weight for kind in KINDS]
    found: list[Formula] = []
    for _ in range(count):
        kind = rng.choices(KINDS, weights)[0]
        text = _fill(rng.choice(kind.templates), rng.randint(1, 2), rng)
        box = rng.choice(kind.boxes)
        truth = Truth.read(kind.truth)._replace(least=kind.least)
        found.append(Formula(kind.name, Row(text, _named_in(box, text), truth)))
    return found


def _named_in(box: str | None, text: str) -> str | None:
    """The sides of a box that belong to inputs of the formula."""
    if box is None:
        return None
    sides = [side for side in box.split(",") if re.search(rf"\b{side[0]}\b", text)]
    return ",".join(sides) or None
