"""Every family keeps the contract of `Objective`; each has a file of its own for the rest."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from narrows.linear.scaling import Scaling
from narrows.model.parts import PARTS
from narrows.networks import MLP, Autoencoding, LinearPath
from narrows.objectives import Batch, Bounds, Step
from narrows.training.loop import drawn

B, D, K = 24, 7, 3
FAMILIES = [pytest.param(family, id=name) for name, family in PARTS["objective"].items()]
BOUNDS = [None, Bounds(torch.zeros(D), torch.ones(D))]
each_family = pytest.mark.parametrize("family", FAMILIES)


def choices(family):
    """By name, the family at its defaults, and with each word that a field of it may be."""
    found = {family.name: family()}
    for field in dataclasses.fields(family):
        for word in field.metadata["limit"].names:
            if word != field.default:
                found[f"{family.name}-{word}"] = family(**{field.name: word})
    return found


CHOICES = [
    pytest.param(objective, id=name)
    for family in PARTS["objective"].values()
    for name, objective in choices(family).items()
]
each_choice = pytest.mark.parametrize("objective", CHOICES)


def widths(objective):
    return objective.widths(D, K, sample_shape=(D,))


def network(objective, seed=0):
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = MLP(hidden=(5,)).build(widths(objective), generator)
    extra = objective.build(widths(objective), None, generator)
    return Autoencoding(Scaling(np.zeros(1), np.ones(1)), encoder, decoder, extra=extra)


def rows(n=B):
    """Rows within [0, 1], which every family takes."""
    return torch.rand(n, D, generator=torch.Generator().manual_seed(1))


def batch(objective, x):
    """Rows, with a neighbour each where the family asks for them."""
    needs = objective.needs
    near = x.flip(0)[:, None].repeat(1, needs.n_partners, 1) if needs.n_neighbors else None
    return Batch(x, near=near)


def step(objective, x, bounds=None, phase="main", progress=0.5):
    return Step(drawn(objective, x, K, (0, 0)), bounds, progress, phase)


def part_of(noise, rows):
    return {name: tensor[rows] for name, tensor in noise.items()}


def gradients(objective, net):
    return [
        p.grad.clone()
        for phase in objective.needs.phases
        for p in objective.parameters(net, phase)
        if p.grad is not None
    ]


def backward(objective, net, terms, phase, n):
    total = torch.stack(tuple(terms.values())).sum() / n
    total.backward(inputs=list(objective.parameters(net, phase)))


# ---------------------------------------------------------------- one step


@pytest.mark.parametrize("bounds", BOUNDS)
@each_choice
def test_terms_are_one_finite_number_per_row_and_have_units(objective, bounds):
    named = set()
    for phase in objective.needs.phases:
        terms = objective.terms(
            network(objective), batch(objective, rows()), step(objective, rows(), bounds)
        )
        assert terms
        named |= set(terms)
        terms = objective.terms(
            network(objective), batch(objective, rows()), step(objective, rows(), bounds, phase)
        )
        named |= set(terms)
        for term in terms.values():
            assert term.shape == (B,)
            assert torch.isfinite(term).all()
            assert term.dtype == torch.float32
    assert named <= set(objective.units)


@each_family
def test_every_unit_is_that_of_a_term(family):
    named = set()
    for objective in choices(family).values():
        for phase in objective.needs.phases:
            given = step(objective, rows(), phase=phase)
            named |= set(objective.terms(network(objective), batch(objective, rows()), given))
    assert named == set(family.units)


@pytest.mark.parametrize("bounds", BOUNDS)
@each_choice
def test_every_term_moves_a_parameter_of_its_phase_at_default_settings(objective, bounds):
    for phase in objective.needs.phases:
        given = step(objective, rows(), bounds, phase)
        for name in objective.terms(network(objective), batch(objective, rows()), given):
            net = network(objective)
            term = objective.terms(net, batch(objective, rows()), given)[name]
            trained = list(objective.parameters(net, phase))
            moved = torch.autograd.grad(term.sum(), trained, allow_unused=True)
            assert any(g is not None and g.abs().max() > 0 for g in moved), name


@each_family
def test_every_parameter_belongs_to_one_phase(family):
    objective = family()
    net = network(objective)
    trained = [id(p) for phase in objective.needs.phases for p in objective.parameters(net, phase)]
    assert sorted(trained) == sorted(id(p) for p in net.parameters())


@each_choice
def test_splitting_a_batch_changes_gradients_by_rounding_only(objective):
    if objective.needs.couples_rows:
        pytest.skip(objective.needs.couples_rows)
    x_BD, whole, parts = rows(), network(objective), network(objective)
    for phase in objective.needs.phases:
        given = step(objective, x_BD, None, phase)
        backward(objective, whole, objective.terms(whole, batch(objective, x_BD), given), phase, B)
        for part in (slice(0, 1), slice(1, 10), slice(10, B)):
            own = given._replace(noise=part_of(given.noise, part))
            terms = objective.terms(parts, Batch(x_BD[part]), own)
            backward(objective, parts, terms, phase, B)
    for one, other in zip(gradients(objective, whole), gradients(objective, parts), strict=True):
        assert torch.linalg.norm(one - other) <= 1e-5 * torch.linalg.norm(one)


@each_choice
def test_terms_follow_their_rows_in_any_order(objective):
    net = network(objective).eval()
    order = torch.randperm(B, generator=torch.Generator().manual_seed(3))
    given = step(objective, rows())
    one = objective.terms(net, batch(objective, rows()), given)
    turned = given._replace(noise=part_of(given.noise, order))
    whole = batch(objective, rows())
    other = objective.terms(net, Batch(*(p if p is None else p[order] for p in whole)), turned)
    for name, term in one.items():
        torch.testing.assert_close(term[order], other[name], rtol=1e-4, atol=1e-5)


@each_choice
def test_noise_is_drawn_for_all_rows_at_once_from_the_generator_alone(objective):
    before = torch.get_rng_state()
    one, same = (drawn(objective, rows(), K, (0, 1, 2)) for _ in range(2))
    other = drawn(objective, rows(), K, (0, 1, 3))
    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in one.items():
        assert len(tensor) == B
        assert torch.equal(tensor, same[name])
        assert not torch.equal(tensor, other[name])


@each_choice
def test_terms_leave_rows_and_noise_alone(objective):
    x_BD = rows()
    given = step(objective, x_BD)
    before = copy.deepcopy(given.noise)
    for phase in objective.needs.phases:
        objective.terms(network(objective), batch(objective, x_BD), given._replace(phase=phase))
    assert torch.equal(x_BD, rows())
    assert all(torch.equal(given.noise[name], before[name]) for name in before)


@each_choice
def test_codes_and_reconstructions_have_their_shapes_and_no_chance(objective):
    net = network(objective).eval()
    z_BK = objective.code(net, rows())
    assert z_BK.shape == (B, K)
    assert objective.reconstruction(net, z_BK).shape == (B, D)
    assert torch.equal(z_BK, objective.code(net, rows()))


@each_choice
def test_the_held_out_loss_is_one_number_per_row_without_chance(objective):
    net = network(objective).eval()
    x_hat = objective.reconstruction(net, objective.code(net, rows())).detach()
    given = step(objective, rows(), progress=1.0)
    held = batch(objective, rows())._replace(others=rows(7))
    one = objective.held_out_loss(net, held, given, x_hat)
    assert one.shape == (B,)
    assert torch.equal(one, objective.held_out_loss(net, held, given, x_hat))


@pytest.mark.parametrize("what", ["code", "reconstruction"])
@each_choice
def test_encode_and_decode_can_be_exported(objective, what):
    """As `torch.onnx.export` begins: one graph, for any number of rows."""
    net = network(objective).eval()
    numbers = rows() if what == "code" else torch.randn(B, K)

    class Half(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return getattr(objective, what)(self.net, x)

    n_rows = torch.export.Dim("n_rows", min=2, max=4096)
    exported = torch.export.export(Half(), (numbers,), dynamic_shapes=({0: n_rows},))
    torch.testing.assert_close(exported.module()(numbers[:5]), Half()(numbers[:5]))


@each_family
def test_a_family_says_what_it_is(family):
    assert family.name in PARTS["objective"]
    assert family() == family(**family().get_params())
    assert family.__doc__.count("::") >= 1
    for word in ("Reference", "Not for"):
        assert word in family.__doc__


# ---------------------------------------------------------------- what it declares


def path():
    """A linear path of K axes of D features, as PCA gives it."""
    generator = torch.Generator().manual_seed(2)
    axes = torch.linalg.qr(torch.randn(D, K, generator=generator).double())[0]
    one, deviations = torch.ones(1).double(), torch.tensor([2.0, 1.0, 0.5]).double()
    mean = torch.full((D,), 0.4).double()
    into = (axes.T, -axes.T @ mean, deviations)
    return LinearPath(*into, axes, mean, one, deviations, 0.3, 1.0, divisor=torch.full((1,), 2.0))


@each_choice
def test_what_is_declared_of_the_start_is_what_start_and_build_do(objective):
    given, generator = path(), torch.Generator().manual_seed(0)
    start, fallback = objective.start(given), objective.fallback(given)
    added = objective.build(widths(objective), start, generator)
    assert objective.needs.starts_as_pca == (start is given and added is None)
    parts = zip(start, fallback, strict=True)
    same = all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in parts)
    assert objective.needs.own_fallback != same
    assert start.into_weight.shape == (widths(objective).encoder_out, D)


@pytest.mark.parametrize("n_classes", [0, 3])
@each_choice
def test_what_is_added_is_counted_before_it_is_built(objective, n_classes):
    sizes = objective.widths(D, K, sample_shape=(D,), class_shares=(1 / 3,) * n_classes)
    added = objective.build(sizes, None, torch.Generator().manual_seed(0))
    tensors = {} if added is None else added.state_dict()
    assert objective.n_added(sizes) == sum(tensor.numel() for tensor in tensors.values())


@each_choice
def test_what_is_declared_of_rows_is_what_terms_do(objective):
    net, given, needs = network(objective), step(objective, rows()), objective.needs
    corrupted = objective.corrupted(net, rows(), given.noise)
    assert needs.corrupts != torch.equal(corrupted, rows())
    assert (objective.trained_prior(net) is not None) == ("prior" in needs.keeps)
    epsilon = torch.randn(2, B, K, generator=torch.Generator().manual_seed(0))
    if needs.density:
        weights, _ = objective.log_weights(net, rows(), epsilon)
        assert weights.shape == (2, B)
    else:
        with pytest.raises(NotImplementedError, match="no density"):
            objective.log_weights(net, rows(), epsilon)
