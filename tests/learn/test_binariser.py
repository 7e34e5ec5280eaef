"""The binariser: thresholds and codes by hand, what outputs say, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.learn import Binariser, DataError, SteBinarizedClassifier, on_features

AGES = [[20.0], [30.0], [40.0], [50.0]]


def test_a_thermometer_by_hand():
    binariser = Binariser(names=["age [years]"]).fit(AGES)
    assert [binariser.literal(i) for i in range(3)] == [
        "age ≥ 25 years",
        "age ≥ 35 years",
        "age ≥ 45 years",
    ]
    assert binariser.literal(0, holds=False) == "age < 25 years"
    assert binariser.transform([[24], [25], [36], [99]]).tolist() == [
        [-1, -1, -1],
        [1, -1, -1],
        [1, 1, -1],
        [1, 1, 1],
    ]
    (group,) = binariser.groups()
    assert (group.kind, group.feature, group.outputs) == ("thermometer", "age", (0, 1, 2))
    assert binariser.get_feature_names_out().tolist() == ["age>=25", "age>=35", "age>=45"]


def test_one_threshold_is_next_to_the_median():
    assert Binariser("threshold").fit(AGES).literal(0) == "x0 ≥ 35"
    assert Binariser("threshold").fit([[1], [1], [1], [2], [9]]).literal(0) == "x0 ≥ 2"


def test_whole_numbers_have_whole_thresholds():
    ages = Binariser(names=["age [years]"]).fit([[31], [32], [40], [57]])
    assert [ages.literal(i) for i in range(3)] == [
        "age ≥ 32 years",
        "age ≥ 36 years",
        "age ≥ 50 years",
    ]
    assert ages.values() == {"age": ("31 years", "32 years", "40 years", "57 years")}
    few = Binariser(names=["age"], thresholds=2).fit([[31], [32], [40], [57]])
    assert few.values() == {}


def test_intervals_are_one_hot():
    binariser = Binariser("one-hot", thresholds=2, units={"x0": "km"}).fit([[1], [2], [3]])
    assert [binariser.literal(i) for i in range(3)] == [
        "x0 < 1.5 km",
        "x0 in [1.5, 2.5) km",
        "x0 ≥ 2.5 km",
    ]
    assert binariser.literal(1, holds=False) == "x0 not in [1.5, 2.5) km"
    assert binariser.transform([[0], [1.5], [2.5]]).tolist() == [
        [1, -1, -1],
        [-1, 1, -1],
        [-1, -1, 1],
    ]
    assert binariser.groups()[0].kind == "one-hot"


def test_categories_and_bits():
    rows = np.array([["red", "y"], ["blue", "n"], ["green", "y"]], dtype=object)
    binariser = Binariser(signs=False).fit(rows)
    assert [binariser.literal(i) for i in range(4)] == [
        "x0 = blue",
        "x0 = green",
        "x0 = red",
        "x1 = y",
    ]
    assert binariser.literal(3, holds=False) == "x1 = n"
    assert binariser.literal(2, holds=False) == "x0 ≠ red"
    assert Binariser(unknown="none").fit(rows).literal(3, holds=False) == "x1 ≠ y"
    assert binariser.transform(rows).tolist() == [[0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 1]]
    assert [group.kind for group in binariser.groups()] == ["one-hot", "free"]


def test_given_thresholds_and_names_of_a_frame():
    frame = pd.DataFrame({"age": [20, 50], "height (cm)": [150.5, 190.5]})
    binariser = Binariser(thresholds={"age": [18, 65]}).fit(frame)
    assert [binariser.literal(i) for i in range(3)] == ["age ≥ 18", "age ≥ 65", "height ≥ 170 cm"]


def test_a_constant_feature_says_nothing():
    binariser = Binariser().fit([[1, 5], [2, 5]])
    assert [bit.column for bit in binariser.bits_] == [0]
    with pytest.raises(DataError, match="No feature varies"):
        Binariser().fit([[1, 5], [1, 5]])


def test_unknown_categories():
    rows = np.array([["a"], ["b"], ["c"]], dtype=object)
    new = np.array([["d"]], dtype=object)
    with pytest.raises(DataError, match=r"'d'.*unknown='none'"):
        Binariser().fit(rows).transform(new)
    assert Binariser(unknown="none").fit(rows).transform(new).tolist() == [[-1, -1, -1]]


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).filter(lambda v: len(set(v)) > 1),
    st.integers(1, 5),
)
def test_thresholds_separate_and_a_thermometer_only_falls(values, most):
    rows = np.array(values)[:, None]
    signs = Binariser(thresholds=most).fit(rows).transform(rows)
    assert signs.shape[1] <= most
    # each threshold has rows on both sides, and a fails-then-holds pair never occurs
    assert (signs.min(axis=0) == -1).all()
    assert (signs.max(axis=0) == 1).all()
    assert (np.diff(signs, axis=1) <= 0).all()


@pytest.mark.parametrize(
    ("options", "rows", "words"),
    [
        ({"encoding": "binary"}, AGES, "thermometer, threshold, one-hot"),
        ({"thresholds": 0}, AGES, "positive integer"),
        ({"unknown": "ignore"}, AGES, "neither"),
        ({"names": ["a", "b"]}, AGES, "2 names for 1 features"),
        ({}, [[np.nan], [1]], "NaN"),
        ({}, np.array([["a"], [None]], dtype=object), "NaN|None"),
    ],
)
def test_bad_input(options, rows, words):
    with pytest.raises(DataError, match=words):
        Binariser(**options).fit(rows)


@pytest.mark.parametrize("encoding", ["thermometer", "threshold", "one-hot"])
@pytest.mark.parametrize("signs", [True, False])
def test_a_network_on_the_features_themselves_is_the_same_function(encoding, signs):
    rng = np.random.default_rng(0)
    rows = np.round(rng.normal(size=(60, 3)), 2)
    labels = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    binariser = Binariser(encoding, signs=signs).fit(rows)
    trained = SteBinarizedClassifier((5,), epochs=20, random_state=0)
    trained.fit(binariser.transform(rows), labels)
    whole = on_features(binariser, trained.network_)
    # thresholds themselves are the points where a convention shows
    ends = [[bit.lower if bit.lower is not None else bit.upper] * 3 for bit in binariser.bits_]
    points = np.vstack([rows, np.array(ends)])
    expected = trained.network_.scores(binariser.transform(points))
    assert np.allclose(whole.scores(points), expected)
    model = whole.to_model()
    exact = [model.evaluate(x, exact=True).tolist() for x in points[-5:]]
    assert np.allclose(np.array(exact, dtype=float), expected[-5:])


def test_text_is_no_real_feature():
    rows = np.array([["a"], ["b"], ["c"]], dtype=object)
    binariser = Binariser().fit(rows)
    trained = SteBinarizedClassifier((2,), epochs=2).fit(binariser.transform(rows), [0, 1, 1])
    with pytest.raises(DataError, match="'x0' is categorical"):
        on_features(binariser, trained.network_)
    with pytest.raises(DataError, match="takes 3 inputs, not 1"):
        on_features(Binariser("threshold").fit(AGES), trained.network_)


def test_numbers_beside_text_in_plain_lists_stay_numbers():
    rows = [[31, "red"], [36, "blue"], [52, "green"]]
    binariser = Binariser(names=["age [years]", "colour"]).fit(rows)
    assert binariser.literal(0) == "age ≥ 34 years"
    assert binariser.literal(2) == "colour = blue"
    assert binariser.transform([[39, "blue"]])[0].tolist()[:3] == [1, -1, 1]
