"""The solves: what was planted comes back, and derivatives are right."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.discover.nft.latent import LatentAction
from erlangen.discover.nft.solves import least_rotation, plane_matrices, solve_angle, solve_planes, solve_rotation, solve_transition
from erlangen.errors import ArgumentError
from erlangen.groups import SO, Cyclic

F64 = torch.float64


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=F64)


@pytest.mark.parametrize(("m", "a", "frames"), [(5, 5, 2), (16, 10, 2), (4, 6, 3)])
def test_an_exact_transition_is_recovered(m, a, frames):
    M = torch.linalg.qr(randn(8, a, a)).Q @ torch.diag(torch.linspace(0.8, 1.2, a, dtype=F64))
    H = [randn(8, m, a, seed=1)]
    for _ in range(frames - 1):
        H.append(H[-1] @ M)
    torch.testing.assert_close(solve_transition(torch.stack(H, 1)), M, atol=1e-10, rtol=0)


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1e-2])
def test_transition_gradient(ridge):
    H = randn(2, 2, 5, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda h: solve_transition(h, ridge), (H,))


def test_ridge_keeps_dead_columns_finite():
    H = randn(3, 2, 8, 4).float()
    H[..., 2] = 0
    H.requires_grad_()
    M = solve_transition(H, 1e-6)
    M.square().sum().backward()
    assert bool(torch.isfinite(M).all()) and bool(torch.isfinite(H.grad).all())  # noqa: PT018 - one statement
    assert float(M[:, 2].detach().abs().max()) < 1e-6


@settings(max_examples=20, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(0.1, 3), st.integers(0, 1000))
def test_complex_least_squares_is_the_constrained_real_one(angle, size, seed):
    h = randn(6, 2, seed=seed)
    number = torch.tensor([size * torch.tensor(angle).cos(), size * torch.tensor(angle).sin()], dtype=F64)
    exact = torch.stack([h, h @ plane_matrices(number)])
    torch.testing.assert_close(solve_planes(exact, normalize=False)[0], number, atol=1e-12, rtol=1e-12)
    noisy = torch.stack([h, randn(6, 2, seed=seed + 1)])
    # M = [[a, b], [-b, a]] for rows: x a - y b and x b + y a, as a real least-squares problem in (a, b).
    x, y = h.unbind(1)
    design = torch.cat([torch.stack([x, -y], 1), torch.stack([y, x], 1)])
    direct = torch.linalg.lstsq(design, noisy[1].mT.reshape(-1, 1)).solution.squeeze(1)
    torch.testing.assert_close(solve_planes(noisy, normalize=False)[0], direct, atol=1e-12, rtol=1e-12)


def test_planes_without_energy_stand_still():
    H = torch.zeros(2, 3, 4, dtype=F64, requires_grad=True)
    found = solve_planes(H)
    assert found.tolist() == [[1, 0], [1, 0]]
    found.sum().backward()
    assert bool(torch.isfinite(H.grad).all())


def test_rotations_are_recovered_and_never_reflections():
    R = SO(3).sample(50, generator=rng(), dtype=F64)
    v = randn(50, 6, 3, seed=1)
    torch.testing.assert_close(solve_rotation(torch.stack([v, v @ R.mT], 1)), R, atol=1e-10, rtol=0)
    mirrored = solve_rotation(torch.stack([v, -v @ R.mT], 1))
    torch.testing.assert_close(torch.linalg.det(mirrored), torch.ones(50, dtype=F64))
    flat = v * torch.tensor([1.0, 1.0, 0.0], dtype=F64)  # vectors of a plane: the determinant must be corrected for about half
    torch.testing.assert_close(solve_rotation(torch.stack([flat, flat @ R.mT], 1)), R, atol=1e-8, rtol=0)


def test_rotation_gradient_even_where_singular_values_meet():
    v = randn(1, 5, 3)
    pair = torch.stack([v, v @ SO(3).sample(1, generator=rng(2), dtype=F64).mT + 0.1 * randn(1, 5, 3, seed=3)], 1).requires_grad_()
    numeric, h = [], 1e-5
    weight = randn(3, 3, seed=5)
    (solve_rotation(pair) * weight).sum().backward()
    direction = randn(*pair.shape, seed=4)
    for sign in (1, -1):
        numeric.append((solve_rotation(pair.detach() + sign * h * direction) * weight).sum())
    assert float((pair.grad * direction).sum()) == pytest.approx(float(numeric[0] - numeric[1]) / (2 * h), rel=1e-5)
    ideal = torch.eye(3, dtype=F64)[None, None].repeat(1, 2, 1, 1).requires_grad_()
    solve_rotation(ideal)[0, 0, 1].backward()
    assert bool(torch.isfinite(ideal.grad).all())
    assert float(ideal.grad.abs().max()) > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_vectors_on_a_line_leave_a_rotation_open_and_say_so(scale, dtype):
    R = SO(3).sample(50, generator=rng(), dtype=F64)
    line = scale * randn(50, 6, 1, seed=1) * randn(50, 1, 3, seed=2)
    near = line + 1e-3 * scale * randn(50, 6, 3, seed=3)
    same = torch.stack([near, near @ R.mT], 1).to(dtype)
    open_ = torch.stack([line, line @ R.mT], 1).to(dtype)
    found, determined = least_rotation(torch.cat([same, open_]))
    assert determined.tolist() == [True] * 50 + [False] * 50
    torch.testing.assert_close(found[:50], R.to(dtype), atol=3e-3 if dtype == torch.float32 else 1e-8, rtol=0)
    torch.testing.assert_close(
        open_[:, 0] @ found[50:].mT, open_[:, 1], atol=100 * torch.finfo(dtype).eps * scale, rtol=0
    )  # what it does say is right
    assert solve_rotation(same).shape == (50, 3, 3)
    for bad in (open_, torch.zeros(1, 2, 4, 3, dtype=dtype)):
        with pytest.raises(ArgumentError, match=f"{len(bad)} that leave it open") as caught:
            solve_rotation(bad)
        assert caught.value.argument == "latents"
    # Mirror images of the corners of a cube: three half turns are equally good.
    corners = scale * torch.eye(3, dtype=dtype)
    assert not least_rotation(torch.stack([corners, -corners]))[1]


def test_an_open_rotation_has_a_finite_derivative():
    line = torch.stack([randn(6, 1) * randn(1, 3, seed=1), randn(6, 1) * randn(1, 3, seed=2)]).requires_grad_()
    (least_rotation(line)[0] * randn(3, 3, seed=3)).sum().backward()
    assert float(line.grad.abs().max()) < 100


def test_one_angle_behind_many_planes():
    angle = torch.rand(40, generator=rng(), dtype=F64) * 6 - 3
    k = torch.tensor([2.0, 3.0, 7.0], dtype=F64)
    numbers = torch.stack([torch.cos(angle[:, None] * k), torch.sin(angle[:, None] * k)], -1)
    torch.testing.assert_close(solve_angle(numbers, k, torch.ones(40, 3, dtype=F64)), angle, atol=1e-10, rtol=0)


def test_errors():
    for bad in (randn(3, 1, 5, 2), randn(2, 2, 3)[0]):
        with pytest.raises(ArgumentError, match="latents"):
            solve_transition(bad)
    with pytest.raises(ArgumentError, match="latents"):
        solve_transition(randn(3, 2, 4, 5))
    with pytest.raises(ArgumentError, match="latents"):
        solve_planes(randn(3, 2, 4, 5))
    with pytest.raises(ArgumentError, match="latents"):
        solve_rotation(randn(3, 2, 4, 5))


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_ties_of_a_finite_group_go_to_the_first_element(dtype):
    """Latents with a half turn of their own, off by rounding: a quarter turn forth and one back do as well."""
    group = Cyclic(4)
    action = LatentAction(group.vector)
    own = torch.tensor([0.3, -1.2, 0.3, -1.2], dtype=F64).expand(50, 1, 1, 4)
    after = own.roll(1, -1)
    latents = torch.cat([own, after], 1).to(dtype)
    noisy = latents * (1 + torch.finfo(dtype).eps * torch.randn(latents.shape, generator=rng(3), dtype=F64).to(dtype))
    every = group.elements()
    assert torch.equal(action.identify(noisy), every[1].expand(50, 4))
