"""The network's published sizes, and what its parts promise."""

import pytest
import torch

from datamodules.errors import InputError
from lightning_models.aitex_vae.network import AitexNetwork
from lightning_models.variational import kl_divergence


def size(module):
    return sum(weight.numel() for weight in module.parameters())


def network(**changes):
    torch.manual_seed(0)
    return AitexNetwork(**{"tile_size": 32, "width": 4, "latent_dim": 6, **changes})


def tiles(count=3, channels=1, edge=32):
    return torch.rand(count, channels, edge, edge, generator=torch.Generator().manual_seed(1))


def test_v1_has_the_published_size_part_by_part():
    v1 = AitexNetwork()
    assert size(v1) == 5_156_193
    assert size(v1.encoder) == 387_840
    assert size(v1.posterior) == 4_194_368
    assert size(v1.decoder[0]) == 540_672
    assert size(v1.decoder) == 540_672 + 33_313


def test_v1_is_the_published_stack_of_layers():
    """The same numbers as the layers written down one after the other, with the same weights."""
    v1 = AitexNetwork().eval()
    with torch.no_grad():
        for weight in v1.parameters():
            weight.mul_(3)  # so that the sigmoid has something to do
    layers = torch.nn.Sequential(
        *[layer for stage in v1.encoder.stages for layer in (stage[0], torch.nn.ReLU(), torch.nn.Dropout2d(0.2))],
        torch.nn.Flatten(),
        v1.posterior.mean,
        v1.decoder[0],
        torch.nn.Unflatten(1, (64, 16, 16)),
        v1.decoder[2],
        torch.nn.ReLU(),
        v1.decoder[4],
        torch.nn.Sigmoid(),
    ).eval()
    for convolution, before, after in zip(layers[:12:3], (1, 32, 64, 128), (32, 64, 128, 256), strict=True):
        assert (convolution.in_channels, convolution.out_channels) == (before, after)
        assert (convolution.kernel_size, convolution.stride, convolution.padding) == ((3, 3), (2, 2), (1, 1))
    for enlarge, after in ((layers[16], 32), (layers[18], 1)):
        assert (enlarge.out_channels, enlarge.kernel_size, enlarge.stride) == (after, (4, 4), (4, 4))
    picture = tiles(1, 1, 256)
    torch.testing.assert_close(v1(picture).reconstructed, layers(picture))


@pytest.mark.parametrize("decoder", ["shallow", "symmetric"])
@pytest.mark.parametrize("posterior", ["diagonal", "full", "low_rank"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tile_comes_back_in_its_shape(decoder, posterior, channels):
    reconstruction = network(decoder=decoder, posterior=posterior, channels=channels)(tiles(channels=channels))
    assert reconstruction.raw.shape == reconstruction.reconstructed.shape == (3, channels, 32, 32)
    assert reconstruction.posterior.event_shape == (6,)


# --- the map ---


@pytest.mark.parametrize("decoder", ["shallow", "symmetric"])
def test_a_map_has_a_posterior_of_every_place(decoder):
    net = network(latent="map", decoder=decoder).eval()
    reconstruction = net(tiles())
    assert reconstruction.raw.shape == (3, 1, 32, 32)
    assert reconstruction.posterior.event_shape == (6 * 2 * 2,)
    assert kl_divergence(reconstruction.posterior).shape == (3,)
    deepest = net.encoder(tiles())[-1]
    torch.testing.assert_close(net.draw_mean(deepest), reconstruction.reconstructed)
    changed = deepest.clone()
    changed[:, :, 1, 1] += 1  # its own place of z, and what that draws, and no place two away
    before, after = (net.posterior(maps).mean.unflatten(1, (6, 2, 2)) for maps in (deepest, changed))
    assert (before != after).any(1)[0].tolist() == [[False, False], [False, True]]


def test_a_map_draws_every_place_from_its_neighbourhood():
    net = network(latent="map", tile_size=64).eval()
    z = torch.zeros(1, 6, 4, 4)
    moved = z.clone()
    moved[:, :, 0, 0] = 1
    far = (net.decoder(z.flatten(1)) != net.decoder(moved.flatten(1)))[0, 0]
    assert far[:32, :32].any()
    assert not far[32:].any()
    assert not far[:, 32:].any()


@pytest.mark.parametrize("decoder", ["shallow", "symmetric"])
def test_the_weights_of_a_map_keep_the_strength_of_a_picture(decoder):
    net = network(latent="map", decoder=decoder, width=16, latent_dim=32, dropout=0.0).eval()
    with torch.no_grad():
        z = net.posterior.mean(net.encoder(torch.randn(4, 1, 32, 32))[-1])
        before_last = torch.nn.Sequential(*list(net.decoder)[:-1])(z.flatten(1))
    assert 0.3 < z.std() < 3
    assert 0.3 < before_last.square().mean().sqrt() < 5


@pytest.mark.parametrize("wrong", [{"posterior": "full"}, {"rank": 2}])
def test_a_map_has_a_diagonal_posterior_only(wrong):
    with pytest.raises(InputError, match=r"model\.latent is map, .* or model\.latent to vector"):
        network(latent="map", **wrong)


@pytest.mark.parametrize(("output", "function"), [("sigmoid", torch.sigmoid), ("tanh", torch.tanh), ("linear", None)])
def test_the_output_is_activated(output, function):
    reconstruction = network(output=output).eval()(tiles())
    expected = reconstruction.raw if function is None else function(reconstruction.raw)
    assert torch.equal(reconstruction.reconstructed, expected)


def test_evaluation_draws_from_the_mean_and_training_from_the_posterior():
    net = network(dropout=0.0)
    net.eval()
    assert torch.equal(net(tiles()).raw, net(tiles()).raw)
    assert torch.equal(net(tiles()).raw, net.decoder(net(tiles()).posterior.mean))
    net.train()
    assert not torch.equal(net(tiles()).raw, net(tiles()).raw)


def test_tiles_do_not_know_of_their_company():
    net = network().eval()
    together, alone = net(tiles()), net(tiles()[:1])
    torch.testing.assert_close(together.reconstructed[:1], alone.reconstructed)
    torch.testing.assert_close(kl_divergence(together.posterior)[:1], kl_divergence(alone.posterior))


@pytest.mark.parametrize("decoder", ["shallow", "symmetric"])
def test_every_parameter_is_trained(decoder):
    net = network(decoder=decoder, posterior="full", dropout=0.0)
    reconstruction = net(tiles())
    (reconstruction.reconstructed.square().sum() + kl_divergence(reconstruction.posterior).sum()).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in net.parameters())


def test_dropout_takes_whole_channels():
    net = network(dropout=0.5, width=16)
    torch.nn.init.ones_(net.encoder.stages[0][0].bias)  # no channel is dark by itself
    first = net.encoder.train()(tiles(8))[0]
    empty = first.flatten(2).eq(0).all(2).float().mean()
    assert 0.35 < empty < 0.65
    assert not net.encoder.eval()(tiles(8))[0].flatten(2).eq(0).all(2).any()


def test_the_encoder_halves_the_picture_at_every_stage():
    shapes = [tuple(stage.shape[1:]) for stage in network().encoder(tiles(1, 1, 64))]
    assert shapes == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)]


@pytest.mark.parametrize("tile_size", [0, 40])
def test_other_sizes_are_refused(tile_size):
    with pytest.raises(InputError, match=f"tile_size is {tile_size}"):
        AitexNetwork(tile_size=tile_size)
