"""A property is verified from Python with the names that users know."""

import pytest

import tamecheck as tc

RELU = """
(declare-const X_0 Real)
(declare-const Y_0 Real)
(assert (>= X_0 -1.0))
(assert (<= X_0 1.0))
(assert (>= Y_0 {bound}))
"""


@pytest.mark.parametrize(("bound", "verdict"), [("1.5", "Holds"), ("0.5", "Violated")])
def test_a_model_and_the_path_of_its_property(tmp_path, bound, verdict):
    path = tmp_path / "property.vnnlib"
    path.write_text(RELU.format(bound=bound))
    answer = tc.verify(tc.expression("max(x, 0)"), path, timeout=20)
    assert type(answer).__name__ == verdict
