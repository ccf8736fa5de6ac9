"""Every family keeps the contract of `Objective`; each has a file of its own for the rest."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_wine

from conftest import bits, curved, noise, quick
from narrows import IWAE, VAE, Autoencoder, load
from narrows.errors import NarrowsWarning, ParameterError
from narrows.linear.scaling import Scaling
from narrows.model.parts import PARTS
from narrows.networks import MLP, Autoencoding, LinearPath
from narrows.objectives import Batch, Bounds, Step
from narrows.training.loop import drawn

B, D, K = 24, 7, 3
FAMILIES_BY_NAME = list(PARTS["objective"].items())
FAMILIES = [pytest.param(family, id=name) for name, family in FAMILIES_BY_NAME]
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
    one = objective.held_out_loss(net, batch(objective, rows()), given, x_hat)
    assert one.shape == (B,)
    assert torch.equal(one, objective.held_out_loss(net, batch(objective, rows()), given, x_hat))


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


# ---------------------------------------------------------------- what it keeps

CLASSES = np.arange(360) % 3
CENTRES = 4 * np.eye(3, 8)


def noisy_classes():
    """Normal rows (360, 8) of three classes, which differ by their means alone."""
    return noise(360) + CENTRES[CLASSES]


def draws_rows(ae, X, y):
    drawn = ae.sample(500, random_state=0)
    variance = X.var(axis=0).sum()
    assert np.square(drawn.mean(axis=0) - X.mean(axis=0)).sum() < 0.2 * variance
    assert 0.2 * variance < drawn.var(axis=0).sum() < 2 * variance


def draws_rows_of_a_class(ae, X, y):
    means = np.stack([X[y == label].mean(axis=0) for label in range(3)])
    for label in range(3):
        drawn = ae.sample(300, y=label, random_state=0).mean(axis=0)
        assert np.square(drawn - means).sum(axis=1).argmin() == label
        assert np.square(drawn - means[label]).sum() < 1


def shows_the_plane_of_pca(ae, X, y):
    scores, codes = ae.pca_.transform(X), ae.transform(X)
    scores, codes = scores - scores.mean(axis=0), codes - codes.mean(axis=0)
    _, rest, *_ = np.linalg.lstsq(scores, codes, rcond=None)
    assert (rest < 1e-6 * np.square(codes).sum(axis=0)).all()


def has_discrete_codes(ae, X, y):
    codes = ae.transform(X)
    assert len(np.unique(codes.round(6))) < 0.5 * codes.size
    np.testing.assert_array_equal(ae.inverse_transform(codes), ae.reconstruct(X))


KEPT = {
    "prior": draws_rows,
    "classes": draws_rows_of_a_class,
    "map": shows_the_plane_of_pca,
    "discrete": has_discrete_codes,
}
SMALL = {"vq": {"n_codes": 16, "width": 1}}
KEEPING = [
    *(pytest.param(family(**SMALL.get(name, {})), id=name) for name, family in FAMILIES_BY_NAME),
    *(
        pytest.param(family(conditional=True, prior=prior), id=f"{family.name} of classes, {prior}")
        for family in (VAE, IWAE)
        for prior in ("normal", "flow")
    ),
]


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("objective", KEEPING)
def test_a_model_that_gained_nothing_can_do_what_its_family_is_for(objective, keep):
    """The learning rate is too small to move a weight, so the start is what is returned."""
    X = noisy_classes()
    ae = quick(2, objective=objective, max_steps=1, learning_rate=1e-30, keep=keep)
    ae.fit(X, CLASSES if objective.needs.classes else None)
    for kept in objective.needs.keeps:
        KEPT[kept](ae, X, CLASSES)


def test_a_prior_that_knows_no_class_apart_refuses_to_draw_one(X):
    """As in files of earlier versions, whose start was N(0, 1) for every class."""
    ae = quick(2, objective=VAE(conditional=True), max_steps=1).fit(X, np.arange(len(X)) % 2)
    with torch.no_grad():
        for parameter in ae.network_.extra.prior.parameters():
            parameter.zero_()
    assert np.isfinite(ae.sample(3, random_state=0)).all()
    with pytest.raises(ParameterError, match="one prior for all classes"):
        ae.sample(3, y=1)


# ---------------------------------------------------------------- whole fits


@each_family
def test_the_same_seed_gives_the_same_model(family, X):
    one, same = (quick(objective=family.name, max_steps=12).fit(X) for _ in range(2))
    other = quick(objective=family.name, max_steps=12, keep="last", random_state=1).fit(X)
    assert bits(one) == bits(same)
    assert bits(one) != bits(other)


@pytest.mark.parametrize("init", ["pca", "random"])
@each_family
def test_a_model_survives_its_file(family, init, X, tmp_path):
    ae = quick(objective=family.name, max_steps=12, init=init, keep="last").fit(X)
    ae.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(X), ae.transform(X))
    np.testing.assert_array_equal(again.reconstruct(X), ae.reconstruct(X))
    one, other = (model.sample(5, random_state=0) for model in (ae, again))
    np.testing.assert_array_equal(one, other)
    assert again.objective == family()


@pytest.mark.parametrize("n_rows", [2, 3, 5, 33])
@each_family
def test_few_rows_and_a_last_batch_of_one(family, n_rows):
    X = curved(n_rows)
    ae = quick(objective=family.name, max_steps=8, batch_size=32, keep="last").fit(X)
    assert np.isfinite(ae.transform(X)).all()
    assert np.isfinite(ae.reconstruct(X)).all()


@pytest.mark.filterwarnings("ignore:Columns? .*carr:narrows.errors.NarrowsWarning")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@each_family
def test_noise_and_tables_train_without_nan(family, precision):
    for X in (noise(60), load_wine().data[:60], np.ones((20, 3)), curved(40) * 1e-3):
        ae = Autoencoder(2, objective=family.name, max_steps=15, precision=precision, keep="last")
        ae.set_params(random_state=0, batch_size=32).fit(X)
        assert np.isfinite(ae.transform(X)).all()
        assert np.isfinite(ae.reconstruct(X)).all()
        assert np.isfinite(ae.sample(4, random_state=0)).all()
        assert all(np.isfinite(row["loss"]) for row in ae.history_)


@each_family
def test_a_row_has_one_code_alone_and_in_any_batch(family, X):
    ae = quick(objective=family.name, max_steps=12, keep="last").fit(X)
    Z = ae.transform(X)
    np.testing.assert_array_equal(ae.transform(X[7:8]), Z[7:8])
    np.testing.assert_array_equal(ae.transform(X[::-1]), Z[::-1])
    np.testing.assert_array_equal(ae.inverse_transform(Z[7:8]), ae.inverse_transform(Z)[7:8])


@each_family
def test_a_code_decodes_to_itself_again(family, X):
    """`fit_transform` equals `transform`, and using a model leaves it as it was."""
    ae = quick(objective=family.name, max_steps=12, keep="last")
    Z, before = ae.fit_transform(X), bits(ae)
    np.testing.assert_array_equal(Z, ae.transform(X))
    ae.sample(3)
    ae.inverse_transform(Z)
    assert bits(ae) == before


@each_family
def test_global_state_is_left_alone(family, X):
    torch_state, numpy_state = torch.get_rng_state(), numpy_stream()
    quick(objective=family.name, max_steps=6).fit(X).sample(2, random_state=0)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(numpy_stream(), numpy_state)


def numpy_stream():
    return np.random.get_state()[1].copy()  # noqa: NPY002, it is the legacy stream that is watched


@each_family
def test_clone_and_set_params(family):
    ae = Autoencoder(objective=family())
    assert clone(ae).objective == family()
    for name in family().get_params():
        ae.set_params(**{f"objective__{name}": getattr(family(), name)})
    assert ae.objective == family()


@each_family
def test_training_goes_on_with_partial_fit(family, X):
    ae = quick(objective=family.name)
    ae.partial_fit(X[:150]).partial_fit(X[150:])
    assert np.isfinite(ae.transform(X)).all()
    assert len(ae.history_) == 2


@each_family
def test_a_diverged_run_gives_its_best_state_and_a_way_out(family, X):
    ae = quick(objective=family.name, max_steps=40, learning_rate=1e12, optimizer="adam")
    with pytest.warns(NarrowsWarning, match="learning_rate="):
        ae.set_params(optimizer__epsilon=1e-30).fit(X)
    assert np.isfinite(ae.transform(X)).all()
