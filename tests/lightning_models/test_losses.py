"""The losses against closed forms and finite differences."""

import math

import pytest
import torch
from torch import nn

from lightning_models.losses import (
    discriminator_objective,
    fake_objective,
    feature_matching,
    generator_objective,
    gradient_penalty,
    real_objective,
    reconstruction,
)


def clip(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


SCORES = [-3.0, -0.5, 0.25, 2.0]


@pytest.mark.parametrize(
    ("kind", "real", "fake", "generator"),
    [
        ("bce", lambda s: -math.log(sigmoid(s)), lambda s: -math.log(1 - sigmoid(s)), lambda s: -math.log(sigmoid(s))),
        ("hinge", lambda s: max(0, 1 - s), lambda s: max(0, 1 + s), lambda s: -s),
        ("wgan", lambda s: -s, lambda s: s, lambda s: -s),
    ],
)
def test_objectives_are_the_textbook_ones(kind, real, fake, generator):
    scores = torch.tensor(SCORES, dtype=torch.float64).view(2, 1, 1, 2)

    def mean(formula):
        return pytest.approx(sum(map(formula, SCORES)) / 4, abs=1e-12)

    assert real_objective(kind, scores).item() == mean(real)
    assert fake_objective(kind, scores).item() == mean(fake)
    assert generator_objective(kind, scores).item() == mean(generator)
    both = discriminator_objective(kind, scores, scores - 1)
    assert both.item() == pytest.approx((real_objective(kind, scores) + fake_objective(kind, scores - 1)).item())


def test_objectives_stay_finite_and_exact_in_half_precision():
    scores = torch.tensor([-200.0, 200.0], dtype=torch.float16)
    assert real_objective("bce", scores).dtype is torch.float32
    assert real_objective("bce", scores).item() == 100  # 200 on average over two: no log(0)
    large = torch.full((70000,), 2.0, dtype=torch.float16)
    assert real_objective("hinge", -large).item() == 3  # the sum exceeds float16's 65504


class Quadratic(nn.Module):
    """score(x) = sum a x^2 / 2 + b x, so the slope is a x + b; a map of two scores whose sum counts."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.a, self.b = (nn.Parameter(clip(size, n)[:, 0]) for n in (1, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.a * x.square() / 2 + self.b * x
        return torch.stack([scores[:, ::2].sum(1), scores[:, 1::2].sum(1)], dim=1)


def test_gradient_penalty_of_known_slopes():
    linear = nn.Linear(6, 1).double()
    with torch.no_grad():
        linear.weight.copy_(clip(1, 6))
    norm = linear.weight.norm().item()
    real, fake = clip(5, 6), clip(4, 6).repeat(2, 1)[:5]
    assert gradient_penalty(linear, real, fake).item() == pytest.approx((norm - 1) ** 2, abs=1e-9)
    assert gradient_penalty(linear, real, fake, target=0.0).item() == pytest.approx(norm**2, abs=1e-9)

    critic = Quadratic(6)
    torch.manual_seed(8)
    penalty = gradient_penalty(critic, real, fake)
    torch.manual_seed(8)
    place = torch.rand(5, 1, dtype=torch.float64)  # one place a sample, in [0, 1)
    between = real + place * (fake - real)
    expected = ((critic.a * between + critic.b).norm(dim=1) - 1).square().mean()
    assert penalty.item() == pytest.approx(expected.item(), abs=1e-9)


def test_gradient_penalty_trains_the_critic_alone_by_the_right_gradient():
    critic, real = Quadratic(4), clip(3, 4)
    fake = clip(3, 4).neg().requires_grad_()

    def penalty() -> torch.Tensor:
        torch.manual_seed(1)
        return gradient_penalty(critic, real, fake)

    penalty().backward()
    assert fake.grad is None
    for weight in critic.parameters():
        for i in range(4):
            with torch.no_grad():
                weight[i] += 1e-5
                above = penalty_value(penalty)
                weight[i] -= 2e-5
                below = penalty_value(penalty)
                weight[i] += 1e-5
            assert weight.grad[i].item() == pytest.approx((above - below) / 2e-5, abs=1e-7)


def penalty_value(penalty) -> float:
    with torch.enable_grad():
        return penalty().item()


def test_gradient_penalty_is_computed_in_float32_under_autocast():
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 1))
    real, fake = torch.randn(8, 32), torch.randn(8, 32)
    torch.manual_seed(1)
    expected = gradient_penalty(critic, real, fake)
    expected_slope = torch.autograd.grad(expected, critic[0].weight)[0]
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        assert critic(real).dtype is torch.bfloat16
        penalty = gradient_penalty(critic, real, fake)
    assert penalty.dtype is torch.float32
    assert torch.equal(penalty, expected)
    assert torch.equal(torch.autograd.grad(penalty, critic[0].weight)[0], expected_slope)


def test_gradient_penalty_of_a_dead_critic_has_a_finite_gradient():
    dead = nn.Linear(3, 1)
    nn.init.zeros_(dead.weight)
    penalty = gradient_penalty(dead, torch.ones(2, 3), torch.zeros(2, 3))
    penalty.backward()
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert dead.weight.grad.isfinite().all()


def test_reconstruction_and_feature_matching():
    fake, real = torch.tensor([[1.0, -2.0]], requires_grad=True), torch.tensor([[0.0, 1.0]], requires_grad=True)
    assert reconstruction("l1", fake, real).item() == 2
    assert reconstruction("l2", fake, real).item() == 5
    loss = feature_matching(fake, real)
    loss.backward()
    assert loss.item() == 5
    assert real.grad is None
    assert fake.grad.tolist() == [[1.0, -3.0]]


def test_every_loss_has_the_right_gradient():
    real = clip(2, 4, 1, 3, 3)
    for loss in (
        lambda x: real_objective("bce", x),
        lambda x: fake_objective("bce", x),
        lambda x: generator_objective("bce", x),
        lambda x: feature_matching(x, real),
    ):
        assert torch.autograd.gradcheck(loss, (clip(2, 4, 1, 3, 3).neg().requires_grad_(),))


@pytest.mark.parametrize("kind", ["bce", "hinge", "wgan"])
def test_counted_scores_are_a_weighted_mean(kind):
    logits, counted = torch.randn(3, 4), torch.tensor([1.0, 0.0, 0.5, 0.0]).repeat(3, 1)
    single = torch.stack([fake_objective(kind, logit) for logit in logits.flatten()])
    expected = (single * counted.flatten()).sum() / counted.sum()
    torch.testing.assert_close(fake_objective(kind, logits, counted), expected)
    assert fake_objective(kind, logits, torch.zeros(3, 4)) == 0
