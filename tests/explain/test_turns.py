"""Protected attributes and orders in a domain with constraints, beside all pairs of its points."""

from dataclasses import replace

import numpy as np
import pytest

from tamecheck.errors import UnsupportedError
from tamecheck.explain import Explainer
from tamecheck.explain.domain import Constraint
from tamecheck.explain.orders import verify_orders
from tests.explain.test_protected import domain, every, network, others


def some_codes(rng, dom, k):
    count = len(dom.features[k].codes)
    return tuple(sorted(rng.choice(count, size=rng.integers(1, count), replace=False).tolist()))


def constrained(rng, dom):
    cubes = []
    for _ in range(rng.integers(1, 4)):
        tied = sorted(rng.choice(len(dom.features), size=2, replace=False).tolist())
        cubes.append(tuple((k, some_codes(rng, dom, k)) for k in tied))
    forbids = [c for c in every(dom) if any(all(c[k] in cs for k, cs in cube) for cube in cubes)]
    return replace(dom, constraints=(Constraint("c", tuple(cubes)),)), set(forbids)


@pytest.mark.parametrize("seed", range(16))
def test_what_cannot_occur_is_no_alternative(seed):
    rng = np.random.default_rng(seed)
    net = network(rng)
    dom, forbidden = constrained(rng, domain(rng, net))
    points = [c for c in every(dom) if c not in forbidden]
    decided = {c: int(net.decide(dom.states(c)[None])[0]) for c in points}
    asked = rng.choice(len(dom.features), size=rng.integers(1, 3), replace=False).tolist()
    pairs = [(c, o) for c in points for o in others(dom, c, asked) if o in decided]
    flips = {c for c, o in pairs if decided[c] != decided[o]}
    explainer = Explainer.over(net, dom)
    rows = [points[k] for k in rng.integers(len(points), size=3)]
    inputs = [net.point(dom.states(c)) for c in rows]
    found = explainer.protected([dom.features[k].name for k in asked], rows=inputs)
    assert found.checked
    assert (found.flips, found.points) == (len(flips), len(points))
    assert found.rows == tuple(k for k, row in enumerate(rows) if row in flips)
    assert (found.witness is None) == (not flips)
    for kinds in (["equal"], ["rises", "falls"]):
        orders = {k: kinds[rng.integers(len(kinds))] for k in asked}
        kept = {"rises": np.less_equal, "falls": np.greater_equal, "equal": lambda *_: True}
        later = [(c, o) for c, o in pairs if all(kept[orders[k]](c[k], o[k]) for k in asked)]
        broken = any(decided[c] > decided[o] for c, o in later)
        answer = verify_orders(net, dom, orders)
        assert answer.verdict == ("violated" if broken else "holds")
        if broken:
            witness = [answer.witness.inputs, answer.witness.other_inputs]
            ends = tuple(dom.codes(net.states(np.array([list(p)]))[0]) for p in witness)
            assert ends in later
    with pytest.raises(UnsupportedError, match="constraints"):
        explainer.shapley(inputs[0])
