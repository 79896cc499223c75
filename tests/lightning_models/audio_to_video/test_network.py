"""The two nets: the published shapes and sizes, and what a configuration changes."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from datamodules.errors import InputError
from lightning_models.audio_to_video import AudioToVideoNet, AudioToVideoNetLegacy
from lightning_models.audio_to_video.encoders import ConvolutionalEncoder, PretrainedEncoder
from lightning_models.audio_to_video.network import sinusoids

SMALL = {"image_size": 32, "width": 32, "heads": 4, "feedforward": 64, "layers": 2}


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def small(**changes):
    torch.manual_seed(0)
    return AudioToVideoNet(**{**SMALL, **changes})


def shapes(network, kind, work):
    """Shapes that leave the layers of a kind."""
    seen = []
    for layer in network.modules():
        if isinstance(layer, kind):
            layer.register_forward_hook(lambda _, __, output: seen.append(tuple(output.shape)))
    with torch.no_grad():
        work()
    return seen


def test_the_published_sizes():
    whole = AudioToVideoNet()
    assert parameters(whole.encoder) == 176_032
    assert parameters(whole.transformer) == 3_159_552
    assert parameters(whole.decoder) == 4_901_027
    assert parameters(whole) == 8_236_611


def test_the_published_size_of_the_predecessor():
    with torch.device("meta"):
        assert parameters(AudioToVideoNetLegacy()) == 51_213_728


def test_the_published_shapes():
    network, audio = AudioToVideoNet().eval(), torch.rand(1, 1, 48_000) - 0.5
    heard = shapes(network, nn.Conv1d, lambda: network.encoder(audio))
    assert heard == [(1, 32, 12_000), (1, 64, 3_000), (1, 128, 750), (1, 256, 187)]
    features = network.features(audio)
    assert features.shape == (1, 90, 256)
    grown = shapes(network, nn.ConvTranspose2d, lambda: network.decode(features.flatten(0, 1)))
    assert grown == [(90, 128, 16, 16), (90, 64, 32, 32), (90, 32, 64, 64), (90, 3, 128, 128)]
    with torch.no_grad():
        frames = network(audio)
    assert frames.shape == (1, 90, 3, 128, 128)
    assert 0 <= frames.min() <= frames.max() <= 1


def test_the_predecessors_shapes():
    network = AudioToVideoNetLegacy(image_size=12, width=16).eval()
    with torch.no_grad():
        frames = network(torch.rand(2, 1, 48_000) - 0.5)
    assert frames.shape == (2, 90, 3, 12, 12)
    assert 0 <= frames.min() <= frames.max() <= 1
    kinds = [type(layer) for layer in network.encoder.layers]
    assert kinds == [nn.Conv1d, nn.ReLU, nn.BatchNorm1d] * 4
    assert [layer.out_features for layer in network.decoder if isinstance(layer, nn.Linear)] == [32, 64, 432]


def test_activation_comes_before_the_norm():
    assert [type(layer) for layer in ConvolutionalEncoder(32).layers] == [nn.Conv1d, nn.GELU, nn.BatchNorm1d] * 4


@pytest.mark.parametrize(
    ("fps", "sample_rate", "samples", "frames"),
    [(30, 16_000, 48_000, 90), (25, 16_000, 48_000, 75), (12.5, 8_000, 16_000, 25), (29.97, 44_100, 44_100, 30)],
)
def test_the_number_of_frames_follows_from_the_rates(fps, sample_rate, samples, frames):
    network = small(fps=fps, sample_rate=sample_rate).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, samples)).shape == (1, frames, 3, 32, 32)


def test_no_weight_depends_on_the_length():
    network = small().eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 8_000)).shape[1] == 15
        assert network(torch.rand(1, 1, 24_000)).shape[1] == 45


@pytest.mark.parametrize("samples", [0, 100, 255])
def test_sound_too_short_is_refused(samples):
    with pytest.raises(InputError, match=f"{samples} samples"):
        small(fps=100.0)(torch.rand(1, 1, samples))


def test_sound_too_short_for_a_frame_is_refused():
    with pytest.raises(InputError, match="too few for one frame"):
        small(fps=1.0)(torch.rand(1, 1, 4_000))


def test_sound_too_long_is_refused():
    network = small(max_frames=20)
    assert network.num_frames(10_667) == 20
    with pytest.raises(InputError, match=r"21 frames.*serves 20.*max_frames"):
        network(torch.rand(1, 1, 11_200))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 36}, "multiple of 8"),
        ({"heads": 5}, "5 heads"),
        ({"fps": 0.0}, "rates above 0"),
        ({"sample_rate": 0}, "rates above 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        small(**changes)


def test_the_skip_starts_before_the_positions_and_ends_after_the_norm():
    network, audio = small().eval(), torch.rand(1, 1, 16_000)
    nn.init.zeros_(network.transformer.norm.weight)  # nothing comes through the transformer
    nn.init.zeros_(network.transformer.norm.bias)
    with torch.no_grad():
        latents = network.encoder(audio)
        expected = nn.functional.interpolate(latents, 30, mode="linear", align_corners=False).transpose(1, 2)
        torch.testing.assert_close(network.features(audio), expected)


def test_the_transformer_is_torchs_own():
    """Post-norm layers and a final LayerNorm, on vectors with their positions."""
    network, audio = small().eval(), torch.rand(2, 1, 16_000)
    layer = nn.TransformerEncoderLayer(32, 4, 64, 0.1, activation="gelu", batch_first=True)
    reference = nn.TransformerEncoder(layer, 2, nn.LayerNorm(32), enable_nested_tensor=False).eval()
    reference.load_state_dict(
        {name: weight for name, weight in network.transformer.state_dict().items() if not name.startswith("dropout")}
    )
    _, local = network._latents(audio)
    positions = torch.zeros(30, 32)
    for time in range(30):
        for pair in range(16):
            angle = time / 10_000 ** (2 * pair / 32)
            positions[time, 2 * pair] = math.sin(angle)
            positions[time, 2 * pair + 1] = math.cos(angle)
    with torch.no_grad():
        torch.testing.assert_close(network.features(audio), local + reference(local + positions), rtol=1e-4, atol=1e-5)


def test_positions_between_frames_lie_between_theirs():
    halfway = sinusoids(torch.tensor([0.0, 0.5, 1.0]), 8)
    torch.testing.assert_close(halfway[1, 0], torch.tensor(0.5).sin())
    assert halfway[0, 0] < halfway[1, 0] < halfway[2, 0]


def test_sound_and_frame_of_one_time_have_one_position():
    """Of three features a frame the middle one is in its middle, those beside it a third of a frame away."""
    transformer = small(cross_attention=True).eval().transformer
    frames, sound = transformer._with_positions(torch.zeros(1, 10, 32), torch.zeros(1, 30, 32))
    torch.testing.assert_close(sound[:, 1::3], frames)
    torch.testing.assert_close(sound[0, 3:6], sinusoids(torch.tensor([2 / 3, 1.0, 4 / 3]), 32))
    frames, sound = transformer._with_positions(torch.zeros(1, 10, 32), torch.zeros(1, 10, 32))
    torch.testing.assert_close(sound, frames)


def test_every_frame_hears_the_whole_piece_but_the_predecessors_do_not():
    quiet, loud = torch.zeros(1, 1, 16_000), torch.zeros(1, 1, 16_000)
    loud[..., -2_000:] = 0.9
    for network, hears in ((small().eval(), True), (AudioToVideoNetLegacy(image_size=8, width=32).eval(), False)):
        with torch.no_grad():
            first = [network(audio)[:, 0] for audio in (quiet, loud)]
        assert torch.equal(*first) is not hears


def test_dropout_belongs_to_training_alone():
    network, audio = small(dropout=0.5), torch.rand(1, 1, 16_000)
    assert not torch.equal(network.features(audio), network.features(audio))
    network.eval()
    assert torch.equal(network.features(audio), network.features(audio))


@pytest.mark.parametrize("cross_attention", [False, True])
def test_attention_is_a_distribution(cross_attention):
    network = small(cross_attention=cross_attention).eval()
    with torch.no_grad():
        weights = network.attention(torch.rand(2, 1, 16_000))
    assert weights.shape == (2, 2, 30, 30)
    assert weights.min() >= 0
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 30))


def test_the_predecessor_attends_to_nothing():
    weights = AudioToVideoNetLegacy(image_size=8, width=16).attention(torch.rand(2, 1, 16_000))
    assert weights.shape == (2, 0, 30, 30)


def test_cross_attention_hears_what_interpolation_leaves_out():
    """At 2 frames a second, 31 of 33 features between two frames do not reach them by interpolation."""
    audio, changed = torch.zeros(1, 1, 16_000), torch.zeros(1, 1, 16_000)
    changed[..., 8_000:8_100] = 0.9
    for cross_attention in (False, True):
        network = small(fps=2.0, cross_attention=cross_attention).eval()
        with torch.no_grad():
            features = [network.features(sound) for sound in (audio, changed)]
        assert torch.allclose(*features, atol=1e-6) is not cross_attention


def test_another_encoder_can_be_plugged_in():
    network = small(encoder=partial(ConvolutionalEncoder, activation=nn.Tanh))
    assert any(isinstance(layer, nn.Tanh) for layer in network.encoder.modules())
    network(torch.rand(2, 1, 8_000)).sum().backward()


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A Wav2Vec2 pipeline of a few thousand weights in the place of the published one."""
    from torchaudio import pipelines

    tiny = dict(pipelines.WAV2VEC2_BASE._params)
    tiny |= {"extractor_conv_layer_config": [(16, 10, 5), (16, 8, 8), (16, 8, 8)], "encoder_embed_dim": 32}
    tiny |= {"encoder_num_layers": 1, "encoder_num_heads": 2, "encoder_ff_interm_features": 32}
    tiny |= {"encoder_pos_conv_kernel": 8, "encoder_pos_conv_groups": 2}
    made = pipelines.Wav2Vec2Bundle("tiny.pth", tiny, 16_000, False, "Wav2Vec2")
    monkeypatch.setattr(pipelines, "WAV2VEC2_BASE", made)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return made


def write_weights(bundle, folder):
    from torchaudio.models import wav2vec2_model

    (folder / "checkpoints").mkdir()
    torch.save(wav2vec2_model(**bundle._params).state_dict(), folder / "checkpoints" / "tiny.pth")


def test_a_pretrained_encoder_is_frozen_but_for_its_last_layer(bundle, tmp_path):
    write_weights(bundle, tmp_path)
    network = small(encoder=partial(PretrainedEncoder, name="WAV2VEC2_BASE")).train()
    audio = torch.rand(2, 1, 16_000)
    assert torch.equal(network.encoder(audio), network.encoder(audio))  # no dropout in what is frozen
    frames = network(audio)
    assert frames.shape == (2, 30, 3, 32, 32)
    frames.sum().backward()
    trained = {name for name, weight in network.encoder.named_parameters() if weight.grad is not None}
    assert trained == {"projection.weight", "projection.bias"}


def test_pretrained_weights_are_never_fetched(bundle, tmp_path):
    with pytest.raises(InputError, match=r"weights of WAV2VEC2_BASE are not at .*tiny\.pth"):
        PretrainedEncoder(32, "WAV2VEC2_BASE")


@pytest.mark.parametrize("net", [AudioToVideoNet, AudioToVideoNetLegacy])
def test_a_pretrained_encoder_of_another_rate_is_refused(net, bundle, tmp_path):
    write_weights(bundle, tmp_path)
    with pytest.raises(InputError, match="listens at 16000 Hz"):
        net(sample_rate=8_000, image_size=16, encoder=partial(PretrainedEncoder, name="WAV2VEC2_BASE"))


def test_an_unknown_pretrained_encoder_is_refused():
    with pytest.raises(InputError, match="WHISPER is none of"):
        PretrainedEncoder(32, "WHISPER")
