import math

import pytest
import torch

from datamodules.errors import InputError
from lightning_models.vta_gan.temporal_attention import TemporalFeatureFusion, sinusoidal_positions


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def small(**arguments):
    torch.manual_seed(0)
    return TemporalFeatureFusion(**{"num_frames": 5, "base_size": 8, "channels": (4, 4, 8), "pool": 2} | arguments)


def test_the_seeds_sizes():
    with torch.device("meta"):
        fusion = TemporalFeatureFusion()
    assert parameters(fusion.encoder) == 93_248
    assert parameters(fusion.attention) == 16_785_408
    assert parameters(fusion.to_map) == 25_178_112
    assert fusion.positions.shape == (8, 2048)
    assert fusion.attention.head_dim == 512
    assert parameters(fusion) == 93_248 + 16_785_408 + 25_178_112 + 8 * 2048 + 2 * 2048


def test_the_preset_with_narrow_tokens_is_small():
    with torch.device("meta"):
        fusion = TemporalFeatureFusion(token_width=256)
    assert parameters(fusion) < 4.1e6


@pytest.mark.parametrize("size", [(8, 8), (64, 64), (192, 128), (33, 50)])
@pytest.mark.parametrize("positional", ["learned", "sinusoidal"])
def test_one_map_per_clip_at_any_size(size, positional):
    fusion = small(positional=positional)
    assert fusion(torch.randn(2, 5, 3, *size)).shape == (2, 3, *size)
    assert fusion(torch.randn(2, 3, 3, *size)).shape == (2, 3, *size)


def test_longer_clips_are_refused():
    with pytest.raises(InputError, match="built for 5 frames and got 6"):
        small()(torch.zeros(1, 6, 3, 16, 16))


@pytest.mark.parametrize("arguments", [{"num_frames": 0}, {"heads": 3}, {"token_width": 30}])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(InputError):
        small(**arguments)


@pytest.mark.parametrize("positional", ["learned", "sinusoidal"])
def test_the_order_of_the_frames_matters_only_through_the_positions(positional):
    fusion = small(positional=positional, dropout=0.0).eval()
    clip = torch.randn(1, 5, 3, 16, 16)
    turned = clip.flip(1)
    with torch.no_grad():
        assert not torch.allclose(fusion(clip), fusion(turned), atol=1e-6)
        fusion.positions.zero_()
        torch.testing.assert_close(fusion(clip), fusion(turned), atol=1e-5, rtol=1e-4)


def test_attention_by_hand():
    fusion = small(dropout=0.0, heads=1).eval()
    clip = torch.randn(1, 3, 3, 8, 8)
    with torch.no_grad():
        tokens = fusion.encoder(clip[0]) + fusion.positions[:3]
        weight, bias = fusion.attention.in_proj_weight, fusion.attention.in_proj_bias
        query, key, value = (tokens @ weight.T + bias).chunk(3, dim=-1)
        attended = (query @ key.T / math.sqrt(tokens.shape[1])).softmax(dim=-1) @ value
        attended = fusion.attention.out_proj(attended)
        expected = fusion.to_map(fusion.norm(tokens + attended).mean(dim=0)).view(1, 3, 8, 8)
        torch.testing.assert_close(fusion(clip), expected, atol=1e-5, rtol=1e-4)


def test_dropout_acts_in_training_only():
    fusion = small(dropout=0.5)
    clip = torch.randn(1, 5, 3, 16, 16)
    assert not torch.equal(fusion(clip), fusion(clip))
    fusion.eval()
    torch.testing.assert_close(fusion(clip), fusion(clip))


def test_learned_positions_are_kept_and_sinusoids_made_anew():
    assert "positions" in small().state_dict()
    assert "positions" not in small(positional="sinusoidal").state_dict()


def test_sinusoidal_positions_are_the_papers():
    table = sinusoidal_positions(6, 8)
    assert table.shape == (6, 8)
    for position in range(6):
        for pair in range(4):
            angle = position / 10_000 ** (2 * pair / 8)
            assert table[position, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[position, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_everything_learns():
    fusion = small(token_width=16)
    fusion(torch.randn(2, 5, 3, 16, 16)).square().mean().backward()
    for name, parameter in fusion.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_exports():
    fusion = small().eval()
    clip = torch.randn(2, 5, 3, 16, 16)
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(fusion, (clip,), dynamic_shapes=({0: batch},))
    more = torch.randn(3, 5, 3, 16, 16)
    torch.testing.assert_close(program.module()(more), fusion(more), atol=1e-5, rtol=1e-4)


def test_weights_are_those_of_the_forward_pass():
    fusion = small(dropout=0.0, heads=1).eval()
    clip = torch.randn(2, 5, 3, 16, 16)
    with torch.no_grad():
        weights = fusion.weights(clip)
        tokens = fusion._tokens(clip)
        attended, _ = fusion.attention(tokens, tokens, tokens, need_weights=False)
        projection, shift = (
            one.chunk(3)[2] for one in (fusion.attention.in_proj_weight, fusion.attention.in_proj_bias)
        )
        values = torch.nn.functional.linear(tokens, projection, shift)
    assert weights.shape == (2, 5, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5))
    torch.testing.assert_close(fusion.attention.out_proj(weights @ values), attended)
