"""Figures of explanations: which pixels are marked, which bars are drawn."""

import json

import numpy as np
import pytest

import tamecheck as tc
from tamecheck.cli import main
from tamecheck.errors import InputError
from tamecheck.learn import BinarizedNetwork, Layer
from tamecheck.plots import draw_explanation, draw_relevancy

BLUE, ORANGE, GREY = (0, 114, 178), (230, 159, 0), (185, 185, 185)


@pytest.fixture(scope="module")
def corner():
    """Class 1 where the four pixels of the left upper corner of 3 x 4 are high."""
    weights = np.zeros((12, 1))
    weights[[0, 1, 4, 5], 0] = 1
    return BinarizedNetwork(
        (Layer(weights, np.array([-3.0])), Layer(np.array([[-1.0, 1.0]]), np.zeros(2)))
    )


def pixels(axes):
    return (255 * np.asarray(axes.images[0].get_array())).round().astype(int)


def test_the_pixels_of_a_reason_are_marked(corner):
    explainer = tc.Explainer(corner.to_model(), (-1, 1), classes=["other", "corner"])
    x = np.ones(12)
    x[11] = -1
    found = explainer.abductive(x)
    drawn = pixels(found.plot(shape=(3, 4)))
    assert {divmod(k, 4) for k in found.features} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    blue = np.argwhere((drawn == BLUE).all(axis=2)).tolist()
    assert blue == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert drawn[0, 2].tolist() == list(GREY)
    assert drawn[2, 3].tolist() == [255, 255, 255]


def test_the_pixels_of_a_change_are_marked(corner):
    explainer = tc.Explainer(corner.to_model(), (-1, 1), classes=["other", "corner"])
    change = explainer.counterfactual(np.ones(12))
    axes = change.plot(shape=(3, 4))
    drawn = pixels(axes)
    assert np.argwhere((drawn == ORANGE).all(axis=2)).tolist() == [
        list(divmod(change.features[0], 4))
    ]
    assert axes.get_title() == "corner becomes other"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "becomes high (0)",
        "becomes low (1)",
    ]


def test_an_image_has_its_own_shape():
    graph = tc.expression("sign(a + b)")
    assert tc.Explainer(graph, (-1, 1)).shape == ()
    found = tc.Explainer(graph, (-1, 1)).abductive([1, 1])
    with pytest.raises(InputError, match="no image"):
        found.plot()
    with pytest.raises(InputError, match="3 x 1 pixels for 2 inputs"):
        draw_explanation(found, shape=(3, 1))


def test_bars_say_in_how_many_reasons_a_feature_is():
    model = tc.expression("sign(2*must + a + b + c - 2)")
    found = tc.Explainer(model, (-1, 1), names=["must", "a", "b", "c"]).relevancy([1, 1, 1, 1])
    # must with one of the others, at least: -2 + 2 + ... is above 0 with two of them
    assert (found.reasons, found.necessary) == (3, ("must",))
    assert dict(found.counts) == {"must": 3, "a": 2, "b": 2, "c": 2}
    axes = found.plot()
    assert [round(bar.get_width(), 3) for bar in axes.patches] == [1.0, 0.667, 0.667, 0.667]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["must", "a", "b", "c"]
    nothing = tc.Explainer(model, (-1, 1)).relevancy([1, 1, 1, 1], timeout=1e-9)
    assert not nothing.complete
    with pytest.raises(InputError, match="No reason"):
        draw_relevancy(nothing)


def test_the_verb_draws(corner, tmp_path, capsys):
    file, point = str(tmp_path / "corner.json"), tmp_path / "x.json"
    corner.to_model().save(file)
    point.write_text(json.dumps([1] * 12))
    arguments = ["explain", file, "--domain", "-1,1", "--input", str(point), "--json"]
    out = str(tmp_path / "reason.png")
    assert main([*arguments, "--plot", out, "--shape", "3,4"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == out
    assert (tmp_path / "reason.png").read_bytes().startswith(b"\x89PNG")
    assert main([*arguments, "--kind", "relevancy", "--plot", str(tmp_path / "r.svg")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["complete"], len(found["necessary"])) == (True, 4)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--plot", "reason.txt"], "A figure is a .png"),
        (["--plot", "{}/reason.png"], "no image"),
        (["--plot", "{}/reason.png", "--shape", "3"], "no rows and columns"),
        (["--plot", "{}/reason.png", "--shape", "5,5"], "5 x 5 pixels for 12 inputs"),
    ],
)
def test_figures_that_cannot_be_are_refused(corner, tmp_path, capsys, options, says):
    file, point = str(tmp_path / "corner.json"), tmp_path / "x.json"
    corner.to_model().save(file)
    point.write_text(json.dumps([1] * 12))
    words = [option.format(tmp_path) for option in options]
    assert main(["explain", file, "--domain", "-1,1", "--input", str(point), *words]) == 2
    assert says in capsys.readouterr().err
