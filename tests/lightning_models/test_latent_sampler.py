import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch.distributions import MultivariateNormal

from datamodules.errors import InputError
from lightning_models.latent_sampler import KEPT, REFIT, LatentSampler


def normal(count, dimensions, seed=0):
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))


def trained(latents, batch=64):
    sampler = LatentSampler(latents.shape[1])
    for part in latents.split(batch):
        sampler.take(part)
    return sampler


def test_without_a_training_there_is_the_prior_only():
    noise = normal(5, 3)
    sampler = LatentSampler(3)
    assert sampler.draw(noise, "prior") is noise
    assert not sampler.can_draw("gaussian")
    with pytest.raises(InputError, match="has kept no latent vectors of training pictures"):
        sampler.draw(noise, "gaussian")


def test_the_first_latent_vectors_hardly_move_the_gaussian_away_from_the_prior():
    noise = normal(1000, 200)
    drawn = trained(5 + normal(2, 200, 1)).draw(noise, "gaussian")
    torch.testing.assert_close(drawn, noise, rtol=0, atol=0.5)


def test_the_gaussian_has_the_mean_and_covariance_of_the_latest_latent_vectors():
    mixing = torch.tensor([[2.0, 0.0, 0.0], [1.0, 0.3, 0.0], [-1.0, 0.0, 0.1]])
    new = normal(KEPT, 3, 2) @ mixing.T + torch.tensor([1.0, -2.0, 3.0])
    drawn = trained(torch.cat([50 + normal(REFIT, 3, 1), new])).draw(normal(100_000, 3, 3), "gaussian")
    share = KEPT / (KEPT + 3)  # the prior counts as much as D latent vectors
    expected = share * torch.cov(new.T, correction=0) + (1 - share) * torch.eye(3)
    torch.testing.assert_close(torch.cov(drawn.T), expected, rtol=0.03, atol=0.03)
    torch.testing.assert_close(drawn.mean(0), share * new.mean(0), rtol=0.03, atol=0.03)


def test_a_mixture_draws_from_each_component_as_often_as_it_weighs():
    centres = torch.tensor([[-6.0, 0.0], [6.0, 0.0], [0.0, 9.0]])
    of = torch.multinomial(torch.tensor([0.2, 0.3, 0.5]), KEPT, True, generator=torch.Generator().manual_seed(1))
    latents = centres[of] + 0.5 * normal(KEPT, 2)
    drawn = trained(latents).draw(normal(20_000, 2, 5), "mixture")
    nearest = torch.cdist(drawn, centres).argmin(1)
    shares = nearest.bincount(minlength=3) / len(drawn)
    torch.testing.assert_close(shares, of.bincount() / len(of), rtol=0, atol=0.02)
    for number in range(3):
        part = drawn[nearest == number]
        torch.testing.assert_close(part.mean(0), centres[number], rtol=0, atol=0.1)
        torch.testing.assert_close(torch.cov(part.T), 0.25 * torch.eye(2), rtol=0, atol=0.05)


def test_samples_of_a_mixture_are_as_likely_under_it_as_its_own():
    latents = normal(2000, 4) @ torch.diag(torch.tensor([3.0, 1.0, 0.5, 0.1]))
    sampler = trained(latents)
    drawn = sampler.draw(normal(4000, 4, 7), "mixture").double().numpy()
    reference = GaussianMixture(10, random_state=0, max_iter=200, reg_covar=1e-4).fit(latents.double().numpy())
    own, _ = reference.sample(4000)
    assert np.isclose(reference.score(drawn), reference.score(own), atol=0.1)
    prior = MultivariateNormal(torch.zeros(4), torch.eye(4)).sample((1000,)).double().numpy()
    assert reference.score(prior) < reference.score(drawn) - 1  # the measure tells the prior from it


def test_a_sample_depends_on_its_own_noise_alone():
    sampler, noise = trained(normal(600, 3)), normal(8, 3, 9)
    for kind in ("gaussian", "mixture"):
        whole = sampler.draw(noise, kind)
        torch.testing.assert_close(torch.cat([sampler.draw(row[None], kind) for row in noise]), whole)


def test_a_mixture_of_too_few_latent_vectors_is_refused():
    sampler = trained(normal(10, 3))
    assert not sampler.can_draw("mixture")
    with pytest.raises(InputError, match="at least 12 training pictures, and this model has 10"):
        sampler.draw(normal(1, 3), "mixture")


def test_a_resumed_sampler_goes_on_as_if_it_had_not_been_broken_off():
    latents = normal(KEPT + 700, 5)
    whole, first = trained(latents), trained(latents[:1280])
    second = LatentSampler(5)
    second.load_state_dict(first.state_dict())
    for part in latents[1280:].split(64):
        second.take(part)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_other_weights_have_another_mixture():
    one, other = trained(normal(600, 2)), trained(5 + normal(600, 2, 3))
    noise = normal(4, 2, 4)
    before = one.draw(noise, "mixture")
    one.load_state_dict(other.state_dict())
    assert not torch.equal(one.draw(noise, "mixture"), before)
    assert torch.equal(one.draw(noise, "mixture"), other.draw(noise, "mixture"))
