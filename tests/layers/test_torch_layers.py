"""The layers as PyTorch functions: numerical gradients at smooth points."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.layers import points_oracle, torch_layers, value_layer


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


def leaf(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def check(layer, data):
    return torch.autograd.gradcheck(layer, data, atol=1e-5)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_quadratic():
    root = normal(3, 5, 5).detach()
    quadratic = (root @ root.mT + torch.eye(5)).requires_grad_()
    right = (torch.rand(3, 4, dtype=torch.float64) + 0.5).requires_grad_()
    data = (quadratic, normal(3, 5), normal(3, 4, 5), right, normal(2, 5), normal(2))

    def layer(first, *rest):
        return torch_layers.quadratic_function((first + first.mT) / 2, *rest)

    assert check(layer, data)


def test_equilibrium():
    weights = (0.1 * normal(4, 4).detach()).requires_grad_()
    data = (weights, normal(4, 2), normal(4), normal(3, 2))
    assert check(torch_layers.equilibrium_function, data)


@pytest.mark.parametrize("batch", [(), (2,)])
def test_penalised_regressions(batch):
    data = (normal(*batch, 10, 3), normal(10), leaf(np.full(batch, 0.3)))
    assert check(torch_layers.lasso_function, data)
    assert check(torch_layers.elastic_net_function, (*data, leaf(0.2)))


def test_support_vectors():
    labels = torch.sign(normal(12)).detach()
    data = (normal(2, 12, 3), leaf([0.3, 0.7]))
    assert check(lambda x, penalty: torch_layers.support_vector_function(x, labels, penalty), data)


def test_second_order_cones_of_a_batch():
    cone = -torch.cat([torch.zeros(1, 3), torch.eye(3)]).double()
    rows = torch.cat([normal(2, 3).detach(), cone]).requires_grad_()
    data = (torch.eye(3).double().requires_grad_(), normal(2, 3), rows, leaf([1, 2, 0.5, 0, 0, 0]))
    cones = [("nonnegative", 2), ("second-order", 4)]

    def layer(first, *rest):
        return torch_layers.conic_function((first + first.T) / 2, *rest, cones)

    assert check(layer, data)


def test_value_of_linear_programs():
    costs = leaf([[1.0, 2, 3], [3.0, 1.5, 2]])
    data = (costs, leaf([[1, 0.5, 0.25]]), leaf([0.75]), leaf([[1.0, 1, 1]]), leaf([1.0]))
    assert check(torch_layers.linear_value_function, data)


def test_the_gradient_at_a_tie_is_in_the_clarke_set():
    costs = leaf([1.0, 1, 2])
    equation = (torch.ones(1, 3, dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    torch_layers.linear_value_function(costs, None, None, *equation).backward()
    assert costs.grad.tolist() == [0.5, 0.5, 0]


def plan():
    """min 3 i + 5 y with 2 i + y >= demand, y <= 3 + i, i in {0, .., 4}."""
    columns = (
        Column("i", Fraction(0), Fraction(4), Kind.INTEGER, Fraction(3)),
        Column("y", cost=Fraction(5)),
    )
    rows = (
        Row("demand", ((0, Fraction(2)), (1, Fraction(1))), Fraction(5), None),
        Row("limit", ((0, Fraction(-1)), (1, Fraction(1))), None, Fraction(3)),
    )
    return value_layer(Program(columns, rows), ["demand", "limit", "y"])


def test_values_of_integer_programs():
    values = leaf([[4.3, 3, 5], [5.2, 3, 1]])
    assert check(lambda v: torch_layers.value_function(plan(), v), (values,))


def test_an_elastic_integer_program_where_the_hard_one_jumps():
    columns = (Column("i", Fraction(0), Fraction(4), Kind.INTEGER, Fraction(3)),)
    layer = value_layer(Program(columns, (Row("r", ((0, Fraction(1)),), 2, None),)), ["r", "i"])
    value = torch_layers.value_function(layer, leaf([2.0, 3.0]))
    with pytest.raises(InputError, match="jumps"):
        value.backward()
    soft = layer.elastic(7)
    assert check(lambda v: torch_layers.value_function(soft, v), (leaf([2.25, 3.0]),))


def test_approximate_layers_are_those_of_numpy():
    oracle = points_oracle(np.eye(3))
    costs = leaf([[0.3, 0.1, 0.2]])
    torch_layers.perturbed_function(oracle, costs, samples=50, seed=1)[0, 0].backward()
    assert costs.grad[0, 0] < 0
    costs.grad = None
    solution = torch_layers.blackbox_function(oracle, costs, size=2.0)
    (solution * torch.tensor([0.0, 1, 0])).sum().backward()
    assert solution.tolist() == [[0, 1, 0]]
    assert costs.grad.tolist() == [[0, -0.5, 0.5]]


def projection(costs, rows):
    """A program with shared Q and h."""
    n, m = rows.shape[-1], rows.shape[-2]
    eye, ones = 2 * torch.eye(n, dtype=rows.dtype), torch.ones(m, dtype=rows.dtype)
    return torch_layers.quadratic_function(eye, costs, rows, ones)


def test_transformations_of_torch_func():
    costs, rows = normal(5, 4).detach(), normal(3, 4).detach()
    whole = projection(costs, rows)
    assert projection(costs[0], rows).shape == (4,)
    assert torch.equal(torch.vmap(projection, (0, None))(costs, rows), whole)
    twice = torch.vmap(torch.vmap(projection, (0, None)), (None, 0))(costs, torch.stack([rows] * 2))
    assert torch.equal(twice[1], whole)
    jacobian = torch.func.jacrev(projection, (0, 1))
    one, by_rows = jacobian(costs[0], rows)
    many, each = torch.vmap(jacobian, (0, None))(costs, rows)
    assert torch.allclose(many[0], one)
    assert torch.allclose(each[0], by_rows)
    assert torch.func.jacrev(torch.vmap(projection, (0, None)))(costs, rows).shape == (5, 4, 5, 4)

    def loss(costs, rows):
        return projection(costs, rows).square().sum()

    summed = torch.func.grad(loss, 1)(costs, rows)
    apart = torch.vmap(torch.func.grad(loss, 1), (0, None))(costs, rows)
    assert apart.shape == (5, 3, 4)
    assert torch.allclose(apart.sum(0), summed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_function_breaks_its_graph_at_a_layer():
    costs, rows = normal(2, 3), normal(2, 3).detach()

    def loss(costs):
        return (projection(torch.sin(costs), rows) * 2).sum()

    compiled = torch.compile(loss, backend="eager")
    assert torch.equal(compiled(costs), loss(costs))
    found, expected = (torch.autograd.grad(f(costs), costs)[0] for f in (compiled, loss))
    assert torch.equal(found, expected)


def test_leading_dimensions_broadcast():
    costs, rows, right = normal(3, 1, 4), normal(2, 3, 4), torch.rand(3, dtype=torch.float64)
    quadratic = torch.eye(4, dtype=torch.float64)

    def layer(costs, rows):
        return torch_layers.quadratic_function(quadratic, costs, rows, right)

    found = layer(costs, rows)
    assert found.shape == (3, 2, 4)
    assert torch.allclose(found[2, 1], layer(costs[2, 0], rows[1]))
    assert check(layer, (costs, rows))
    with pytest.raises(InputError, match="different lengths"):
        layer(costs[:, 0], rows)


def test_empty_tensors_stand_for_missing_data_as_in_qpth():
    nothing = torch.Tensor()
    eye, costs = torch.eye(2).double(), torch.tensor([[1.0, -1.0]]).double()
    free = torch_layers.quadratic_function(eye, costs, nothing, nothing, nothing, nothing)
    assert free.tolist() == [[-1, 1]]


def test_what_is_asked_of_redundant_rows_decides_whether_it_is_refused():
    """The corner of the simplex with bounds of 1."""
    costs, right = leaf([[-3.0, 0, 0]]), leaf([0.0, 0, 0, 1, 1, 1])
    eye = torch.eye(3, dtype=torch.float64)
    rows, ones = torch.cat([-eye, eye]), torch.ones(1, 3, dtype=torch.float64)
    data = (eye, costs, rows, right, ones, ones[:, 0])
    fixed = torch_layers.quadratic_function(*data[:3], right.detach(), *data[4:])
    assert torch.autograd.grad(fixed[0, 0], costs)[0].abs().max() < 1e-12
    with pytest.raises(InputError, match="dependent"):
        torch_layers.quadratic_function(*data)[0, 0].backward()
    torch_layers.quadratic_function(*data, dependent="choose")[0, 0].backward()
    assert torch.isfinite(right.grad).all()


def test_a_program_without_solution_is_nan_and_the_others_learn():
    costs, eye = leaf([[-3.0], [0.0]]), torch.eye(1, dtype=torch.float64)
    rows, right = torch.cat([eye, -eye]), torch.tensor([[1.0, 1.0], [-1, -1]]).double()
    found = torch_layers.quadratic_function(eye, costs, rows, right, infeasible="nan")
    solved = found.isfinite().all(-1)
    assert solved.tolist() == [True, False]
    found[solved].sum().backward()
    assert costs.grad.tolist() == [[0], [0]]


def test_networks_of_several_batches_have_fixed_points():
    weights = (0.1 * normal(2, 4, 4).detach()).requires_grad_()
    data = (weights, normal(4, 2), normal(4), normal(2, 2))
    assert check(torch_layers.equilibrium_function, data)


def test_results_have_the_precision_and_the_device_of_the_data(monkeypatch):
    single = normal(2, 3).float().detach().requires_grad_()
    found = projection(single, torch.ones(1, 3))
    found.sum().backward()
    assert (found.dtype, single.grad.dtype) == (torch.float32, torch.float32)
    exact = projection(single.detach().double(), torch.ones(1, 3).double())
    assert torch.equal(found.double(), exact.float().double())
    moves = []
    tensor = torch_layers._tensor

    def move(array, dtype, device):
        moves.append(device)
        return tensor(array, dtype, "cpu")

    monkeypatch.setattr(torch_layers, "_tensor", move)
    projection(single, torch.ones(1, 3))
    assert moves == [single.device]
    with pytest.raises(InputError, match="no numbers"):
        projection(single.to("meta"), torch.ones(1, 3))
    for wrong in (torch.eye(2).int(), np.eye(2)):
        with pytest.raises(InputError, match="floating-point"):
            torch_layers.quadratic_function(wrong, torch.zeros(2))


def test_there_is_no_second_derivative():
    costs, rows = normal(3), normal(2, 3)
    (first,) = torch.autograd.grad(projection(costs, rows).sum(), costs, create_graph=True)
    with pytest.raises(UnsupportedError, match="first derivatives"):
        first.sum().backward()
