"""Posteriors and their divergence against Monte Carlo, torch's own closed forms, and each other."""

import math

import pytest
import torch
from torch.distributions import (
    Categorical,
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
)
from torch.distributions import (
    kl_divergence as torch_kl,
)

from datamodules.errors import InputError
from lightning_models.variational import (
    DiagonalPosterior,
    FullPosterior,
    LowRankPosterior,
    kl_divergence,
    kl_per_dimension,
    make_posterior,
)

KINDS = ["diagonal", "full", "low_rank"]
FEATURES, LATENT, RANK = 10, 5, 2


def head(kind, scale=1.0):
    torch.manual_seed(3)
    built = make_posterior(kind, FEATURES, LATENT, RANK if kind == "low_rank" else None)
    with torch.no_grad():
        for weight in built.parameters():
            weight.mul_(scale)
    return built


def features(count=4):
    return torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_shapes(kind):
    posterior = head(kind)(features())
    assert posterior.batch_shape == (4,)
    assert posterior.event_shape == (LATENT,)
    assert posterior.rsample().shape == posterior.mean.shape == kl_per_dimension(posterior).shape == (4, LATENT)
    assert kl_divergence(posterior).shape == (4,)


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_against_monte_carlo(kind):
    posterior = head(kind, scale=2.0)(features())
    torch.manual_seed(0)
    drawn = posterior.sample((200_000,))
    prior = Independent(Normal(torch.zeros(LATENT), torch.ones(LATENT)), 1)
    terms = posterior.log_prob(drawn) - prior.log_prob(drawn)
    error = terms.std(0) / len(drawn) ** 0.5
    assert ((kl_divergence(posterior) - terms.mean(0)).abs() < 5 * error).all()


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_against_torch(kind):
    posterior = head(kind, scale=3.0)(features())
    prior = MultivariateNormal(torch.zeros(4, LATENT), torch.eye(LATENT))
    if kind == "diagonal":
        prior = Independent(Normal(torch.zeros(4, LATENT), torch.ones(4, LATENT)), 1)
    torch.testing.assert_close(kl_divergence(posterior), torch_kl(posterior, prior))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_posteriors_moments(kind):
    posterior = head(kind)(features(1))
    torch.manual_seed(0)
    drawn = posterior.rsample((100_000,))[:, 0]
    covariance = getattr(posterior, "covariance_matrix", torch.diag_embed(posterior.variance))[0]
    torch.testing.assert_close(drawn.mean(0), posterior.mean[0], atol=0.02, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), covariance, atol=0.03, rtol=0.03)


def test_the_posteriors_coincide_where_they_should():
    """A full one without correlations is the diagonal one, and so is a low-rank one whose factor is 0."""
    diagonal, full, low = (head(kind) for kind in KINDS)
    for other, extra in ((full, full.below_diagonal), (low, low.factor)):
        other.mean, other.log_variance = diagonal.mean, diagonal.log_variance
        torch.nn.init.zeros_(extra.weight)
        torch.nn.init.zeros_(extra.bias)
    expected = diagonal(features())
    for posterior in (full(features()), low(features())):
        torch.testing.assert_close(posterior.variance, expected.variance)
        torch.testing.assert_close(kl_divergence(posterior), kl_divergence(expected))
        torch.testing.assert_close(kl_per_dimension(posterior), kl_per_dimension(expected))


def test_a_low_rank_posterior_equals_the_full_one_of_its_covariance():
    low = head("low_rank")(features())
    full = MultivariateNormal(low.mean, low.covariance_matrix)
    torch.testing.assert_close(kl_divergence(low), kl_divergence(full))


def test_correlations_cost_more_than_their_marginals():
    posterior = head("full", scale=2.0)(features())
    assert (kl_divergence(posterior) > kl_per_dimension(posterior).sum(1)).all()


def test_the_divergence_of_the_standard_normal_is_zero():
    standard = Independent(Normal(torch.zeros(2, 3), torch.ones(2, 3)), 1)
    assert torch.equal(kl_divergence(standard), torch.zeros(2))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_head(kind):
    built = head(kind)
    posterior = built(features())
    (posterior.rsample().square().sum() + kl_divergence(posterior).mean()).backward()
    assert all(weight.grad.abs().sum() > 0 for weight in built.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_float32_under_autocast(kind):
    built = head(kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        posterior = built(features())
        divergence = kl_divergence(posterior)
    assert posterior.mean.dtype == posterior.variance.dtype == divergence.dtype == torch.float32
    torch.testing.assert_close(divergence, kl_divergence(built(features())), rtol=0.05, atol=0.02)


def test_sizes_of_the_heads():
    def size(built):
        return sum(weight.numel() for weight in built.parameters())

    assert size(DiagonalPosterior(100, 32)) == 101 * 64
    assert size(FullPosterior(100, 32)) == 101 * (32 + 528)
    assert size(LowRankPosterior(100, 32, 4)) == 101 * (32 + 32 + 128)


@pytest.mark.parametrize("log_variance", [-170.0, -104.0, -88.0, 0.0, 86.0])
def test_the_divergence_is_finite_wherever_its_closed_form_is(log_variance):
    """exp(-104) is 0 in float32, and exp(89) infinite."""
    built = head("diagonal")
    with torch.no_grad():
        built.mean.bias.fill_(1.5)
        built.log_variance.bias.fill_(log_variance)
        for part in (built.mean, built.log_variance):
            part.weight.zero_()
    divergence = kl_divergence(built(features()))
    expected = LATENT * 0.5 * (math.exp(log_variance) + 1.5**2 - 1 - log_variance)
    torch.testing.assert_close(divergence, torch.full((4,), expected), rtol=1e-4, atol=1e-4)
    divergence.mean().backward()
    assert built.log_variance.bias.grad.isfinite().all()
    torch.testing.assert_close(built.log_variance.bias.grad[0], torch.tensor(0.5 * (math.exp(log_variance) - 1)))


def test_a_divergence_beyond_all_numbers_is_infinite_and_not_undefined():
    posterior = Independent(Normal(torch.zeros(1, 1), torch.full((1, 1), math.exp(45))), 1)
    assert kl_divergence(posterior).item() == math.inf


def test_free_bits():
    """A dimension's divergence is averaged over the batch before it is compared; the rest keeps its own value."""
    mean = torch.tensor([[0.0, 2.0], [1.0, 4.0]], requires_grad=True)
    posterior = Independent(Normal(mean, torch.ones(2, 2)), 1)
    # divergences mu^2 / 2: first dimension 0 and 0.5, 0.25 on average; second 2 and 8
    assert kl_divergence(posterior).tolist() == [2.0, 8.5]
    divergence = kl_divergence(posterior, free_bits=0.3)
    assert divergence.tolist() == pytest.approx([2.3, 8.3])
    divergence.mean().backward()
    assert mean.grad.tolist() == [[0.0, 1.0], [0.0, 2.0]]
    assert kl_divergence(posterior, free_bits=0.2).tolist() == [2.0, 8.5]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_free_bits_need_independent_dimensions(kind):
    with pytest.raises(InputError, match="free_bits is"):
        kl_divergence(head(kind)(features()), free_bits=0.5)


def test_what_has_no_closed_form_is_refused():
    with pytest.raises(TypeError, match="Categorical"):
        kl_divergence(Categorical(torch.ones(2, 3)))


@pytest.mark.parametrize("rank", [0, 6])
def test_ranks_out_of_range_are_refused(rank):
    with pytest.raises(InputError, match=f"rank is {rank}"):
        make_posterior("low_rank", FEATURES, LATENT, rank)


def test_low_rank_distributions_are_torchs():
    assert isinstance(head("low_rank")(features()), LowRankMultivariateNormal)
