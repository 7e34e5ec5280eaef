"""A reader of VIPR 1.0 and 1.1 files that derives every line again; written from the format alone.

It shares nothing with the writer.  `verify` returns what a file proves, or raises `RefusedError`.
"""

import math
from fractions import Fraction


class RefusedError(Exception):
    """A line does not follow."""


def need(condition, why):
    if not condition:
        raise RefusedError(why)


class Words:
    def __init__(self, text):
        lines = [line for line in text.splitlines() if not line.startswith("%")]
        self.words = " ".join(lines).split()
        self.at = 0

    def word(self):
        need(self.at < len(self.words), "the file ends early")
        self.at += 1
        return self.words[self.at - 1]

    def expect(self, *words):
        for word in words:
            need(self.word() == word, f"{word} was expected")

    def index(self, end=None):
        text = self.word()
        need(text.lstrip("-").isdigit(), f"{text} is no index")
        need(end is None or 0 <= int(text) < end, f"{text} is out of range")
        return int(text)

    def value(self):
        try:
            return Fraction(self.word())
        except (ValueError, ZeroDivisionError):
            raise RefusedError("not a number") from None

    def form(self, end):
        found = {}
        for _ in range(self.index()):
            j = self.index(end)
            need(j not in found, "an index occurs twice")
            found[j] = self.value()
        return {j: a for j, a in found.items() if a}


class Constraint:
    def __init__(self, sense, right, form, assumptions=frozenset()):
        self.sense, self.right, self.form = sense, right, form
        self.assumptions = assumptions

    @property
    def absurd(self):
        sign = {"G": self.right > 0, "L": self.right < 0, "E": self.right != 0}
        return not self.form and sign[self.sense]

    def dominates(self, other):
        if self.absurd:
            return True
        if self.form != other.form:
            return False
        if other.sense == "E":
            return self.sense == "E" and self.right == other.right
        if self.sense not in ("E", other.sense):
            return False
        return self.right >= other.right if other.sense == "G" else self.right <= other.right


def combination(words, known):
    """A suitable linear combination, and the assumptions under it."""
    weights = words.form(len(known))
    form, right, signs, assumptions = {}, Fraction(0), set(), frozenset()
    for i, weight in weights.items():
        row = known[i]
        assumptions |= row.assumptions
        signs.add({"G": 1, "L": -1, "E": 0}[row.sense] * (1 if weight > 0 else -1))
        right += weight * row.right
        for j, a in row.form.items():
            form[j] = form.get(j, Fraction(0)) + weight * a
    need(not {1, -1} <= signs, "multipliers of both signs")
    sense = "G" if 1 in signs else "L" if -1 in signs else "E"
    return Constraint(sense, right, {j: a for j, a in form.items() if a}, assumptions)


def rounded(row, integers):
    fits = all(j in integers and a.denominator == 1 for j, a in row.form.items())
    need(fits and row.sense != "E", "it cannot be rounded")
    turn = math.ceil if row.sense == "G" else math.floor
    return Constraint(row.sense, Fraction(turn(row.right)), row.form, row.assumptions)


def read_constraint(words, columns, objective):
    words.word()
    sense = words.word()
    need(sense in "GLE", "no sense")
    right = words.value()
    if words.words[words.at] == "OBJ":
        words.word()
        return Constraint(sense, right, dict(objective))
    return Constraint(sense, right, words.form(columns))


def opposite(below, above, integers):
    """Whether every integer point satisfies one of two assumptions."""
    if (below.sense, above.sense) == ("G", "L"):
        below, above = above, below
    whole = all(j in integers and a.denominator == 1 for j, a in below.form.items())
    return (
        (below.sense, above.sense) == ("L", "G")
        and below.form == above.form
        and whole
        and below.right.denominator == 1
        and above.right == below.right + 1
    )


def derive(words, known, stated, index, integers):
    """Check the reason of a derived constraint; the assumptions that it rests on."""
    words.expect("{")
    reason = words.word()
    if reason == "asm":
        found = frozenset([index])
    elif reason in ("lin", "rnd"):
        row = combination(words, known)
        row = row if reason == "lin" else rounded(row, integers)
        need(row.dominates(stated), f"line {index} does not follow")
        found = row.assumptions
    else:
        need(reason == "uns", f"an unknown reason {reason}")
        one, first, other, second = (words.index(len(known)) for _ in range(4))
        need(opposite(known[first], known[second], integers), "the assumptions leave a gap")
        need(known[one].dominates(stated) and known[other].dominates(stated), f"line {index}")
        found = (known[one].assumptions - {first}) | (known[other].assumptions - {second})
    words.expect("}")
    words.index()
    return found


def verify(text):
    """("infeasible",) or ("optimal", value) that the file proves, and its program."""
    words = Words(text)
    words.expect("VER")
    need(words.word() in ("1.0", "1.1"), "an unknown version")
    words.expect("VAR")
    columns = words.index()
    names = [words.word() for _ in range(columns)]
    need(len(set(names)) == columns, "a name occurs twice")
    words.expect("INT")
    integers = {words.index(columns) for _ in range(words.index())}
    words.expect("OBJ")
    sense = words.word()
    need(sense in ("min", "max"), "no sense")
    objective = words.form(columns)
    words.expect("CON")
    count, bounds = words.index(), words.index()
    known = [read_constraint(words, columns, objective) for _ in range(count)]
    need(all(len(row.form) == 1 for row in known[:bounds]), "a bound has one column")
    words.expect("RTP")
    goal = words.word()
    low, high = (words.value(), words.value()) if goal == "range" else (None, None)
    need(goal in ("range", "infeas"), "nothing is to be proved")
    words.expect("SOL")
    values = []
    for _ in range(words.index()):
        words.word()
        x = words.form(columns)
        need(all(x.get(j, Fraction(0)).denominator == 1 for j in integers), "not integral")
        for row in known:
            left = sum((a * x.get(j, 0) for j, a in row.form.items()), Fraction(0))
            fits = {"G": left >= row.right, "L": left <= row.right, "E": left == row.right}
            need(fits[row.sense], "a solution is not feasible")
        values.append(sum((c * x.get(j, 0) for j, c in objective.items()), Fraction(0)))
    words.expect("DER")
    for _ in range(words.index()):
        stated = read_constraint(words, columns, objective)
        stated.assumptions = derive(words, known, stated, len(known), integers)
        known.append(stated)
    need(words.at == len(words.words), "the file goes on")
    last = known[-1]
    need(not last.assumptions, "the last line rests on assumptions")
    program = (sense, objective, known[:count], integers)
    if goal == "infeas":
        need(last.absurd, "the last line is no absurdity")
        return ("infeasible",), program
    need(low == high and values, "no optimum")
    best = min(values) if sense == "min" else max(values)
    need(best == low, "no solution has the value")
    need(last.dominates(Constraint("G" if sense == "min" else "L", low, objective)), "the bound")
    return ("optimal", low), program
