"""Figures of real models: a collision-avoidance net, a max-pooling net, a BNN, a net with sine."""

import random

import pytest

import tamecheck as tc
from tamecheck.cells import cells, slice_of_points
from tamecheck.plots import draw_cells, draw_decision, draw_field, plane_of
from tamecheck.plots.sample import stepwise

ACAS = "nets/acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx.gz"


def unit(size, *places):
    return [[int(index == place) for index in range(size)] for place in places]


def plane(data, name, origin, directions, end):
    model = tc.load(data / name)
    document = {"origin": origin, "directions": directions, "bounds": [[f"-{end}", end]] * 2}
    return plane_of(model.graph, slice_of_points(model.inputs, document))


def test_a_small_slice_of_the_collision_avoidance_net_is_exact(data, tmp_path):
    whole = plane(data, ACAS, [0] * 5, unit(5, 0, 1), "1/20")
    field = draw_field(whole.only(0))
    found = cells(whole.graph, whole.box)
    assert field.exact
    assert field.counts["cells"] == found.count > 50
    assert field.counts["kinks"] + field.counts["flat"] == len(found.adjacency)
    assert field.counts["jumps"] == 0
    assert sum(field.counts[kind] for kind in ("arrows", "zeros", "left_out")) == 16 * 16
    field.save(tmp_path / "field.svg")
    assert (tmp_path / "field.svg").stat().st_size < 500_000


def test_the_whole_slice_has_too_many_cells_and_is_sampled(data):
    whole = plane(data, ACAS, [0] * 5, unit(5, 0, 1), "1/2")
    picture = draw_cells(whole)
    assert not picture.exact
    assert picture.counts["cells"] > 5_000
    assert draw_decision(whole, rule="argmin").counts["classes"] >= 2


def test_a_net_with_sine_has_a_smooth_field(data):
    whole = plane(data, "nets/lsnc/onnx/quadrotor2d_state.onnx.gz", [0] * 6, unit(6, 0, 2), "3/4")
    picture = draw_field(whole.only(0))
    assert not picture.exact
    assert picture.counts["arrows"] + picture.counts["left_out"] == 16 * 16
    assert picture.counts["arrows"] > 200
    assert picture.counts["kinks"] > 0


@pytest.mark.slow
def test_a_max_pooling_net_is_drawn(data):
    draw = random.Random(0)
    directions = [[draw.choice([-1, 0, 1]) for _ in range(784)] for _ in range(2)]
    whole = plane(data, "nets/verivital/Convnet_maxpool.onnx.gz", ["1/2"] * 784, directions, "1/2")
    picture = draw_field(whole.only(0))
    assert picture.counts["cells"] > 100
    assert picture.counts["arrows"] + picture.counts["left_out"] > 50


def test_a_binarised_net_is_constant_on_pieces_with_jumps(data):
    (file,) = (data / "bnn/traffic_signs_recognition/onnx").glob("3_30_30*")
    draw = random.Random(1)
    origin = [draw.randrange(256) for _ in range(2700)]
    whole = plane(data, file, origin, unit(2700, 1300, 1303), "50")
    picture = draw_cells(whole)
    assert picture.counts["jumps"] > 0
    assert picture.counts["kinks"] == 0
    assert picture.counts["cells"] > 5
    assert not picture.exact
    assert stepwise(whole.graph)


@pytest.mark.slow
def test_a_binarised_net_with_pooling_and_irrational_scales_is_drawn(data):
    (file,) = (data / "bnn/traffic_signs_recognition/onnx").glob("3_48_48*")
    draw = random.Random(1)
    origin = [draw.randrange(256) for _ in range(6912)]
    whole = plane(data, file, origin, unit(6912, 3456, 3459), "50")
    picture = draw_field(whole.only(0))
    assert picture.counts["jumps"] > 0
    assert picture.counts["kinks"] == picture.counts["arrows"] == 0
    assert not picture.exact
