import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from torchaudio.transforms import MelSpectrogram

from datamodules.sound.mel import LogMel
from datamodules.sound.pieces import Piece
from datamodules.sound.ridge_rule import RidgeRule

RATE, FPS, T = 16_000, 10, 12


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_spectra_agree_with_those_of_torchaudio(rate):
    mel = LogMel(rate)
    window, size = round(0.032 * rate), max(512, 1 << (round(0.032 * rate) - 1).bit_length())
    sound = torch.randn(2, 1, rate, generator=torch.Generator().manual_seed(0)) / 4
    beside = (window - mel.hop) // 2
    # torchaudio puts a short window into the middle of the transform; the power does not depend on where it lies
    around = (beside + (size - window) // 2, window - mel.hop - beside + size - window - (size - window) // 2)
    theirs = MelSpectrogram(rate, size, window, mel.hop, n_mels=40, center=False, power=2.0)
    expected = theirs(torch.nn.functional.pad(sound[:, 0], around)).add(1e-5).log()
    torch.testing.assert_close(mel(sound), expected, atol=1e-3, rtol=1e-3)


def test_a_click_is_heard_at_its_time():
    sound = torch.zeros(1, 1, RATE)
    sound[..., 8000:8160] = 0.5
    spectrum = LogMel(RATE)(sound).mean(1)[0]  # (50,)
    assert spectrum.argmax() == 25  # 20 ms each, and the click lies in that from 0.50 s on


def pieces(count, seed=0):
    """Pieces of noise whose loudness lights the lower half of pictures that are of another grey in each of them."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        level = random.choice([0.003, 0.03, 0.3], T)
        frames = np.full((T, 3, 16, 16), random.integers(60, 120), np.uint8)
        frames[:, :, 8:] += (20 * np.log10(level / 0.003))[:, None, None, None].astype(np.uint8)
        sound = level.repeat(RATE // FPS) * random.uniform(-1, 1, T * RATE // FPS)
        valid = np.arange(T) < (T if number else T - 4)
        name, audio = f"clip{number}", sound[None].astype(np.float32)
        made.append(Piece(audio, frames * valid[:, None, None, None], valid, audio, name, 0.0, number))
    return made


def test_the_rule_tells_what_moves_from_the_sound_and_nothing_else():
    rule = RidgeRule(pieces(12), RATE)
    unseen = pieces(3, seed=1)[1:]
    sound = torch.from_numpy(np.stack([piece.audio for piece in unseen]))
    told = rule.changes(sound, (2, T, 3, 16, 16)).numpy()
    for piece, changes in zip(unseen, told, strict=True):
        real = piece.frames / 255 - (piece.frames / 255).mean(0)
        assert np.abs(changes[:, :, :8]).max() < 1e-3
        assert np.abs(changes - real).mean() < 0.4 * np.abs(real).mean()


def test_the_rule_is_ridge_regression_on_components():
    given = pieces(3)
    rule = RidgeRule(given, RATE)
    seen = [piece.frames[piece.valid].reshape(piece.valid.sum(), -1) / 255 for piece in given]
    components = PCA(24, svd_solver="full").fit(np.concatenate([one - one.mean(0) for one in seen]))
    scores = components.transform(np.concatenate([one - one.mean(0) for one in seen]))
    heard = []
    for piece in given:
        mel = LogMel(RATE)(torch.from_numpy(piece.audio[None]))
        at = torch.nn.functional.interpolate(mel, T, mode="linear")[0].numpy().T  # (T, 40)
        places = np.arange(T)[:, None] + np.arange(-5, 6)
        heard.append(at[places.clip(0, T - 1)].transpose(0, 2, 1).reshape(T, -1))
    known = np.concatenate([one[piece.valid] for one, piece in zip(heard, given, strict=True)])
    mean, deviation = known.mean(0), known.std(0)
    ridge = Ridge(100.0).fit((known - mean) / deviation, scores)
    expected = components.inverse_transform(ridge.predict((heard[1] - mean) / deviation)).reshape(T, 3, 16, 16)
    told = rule.changes(torch.from_numpy(given[1].audio[None]), (1, T, 3, 16, 16))[0].numpy()
    np.testing.assert_allclose(told, expected, atol=2e-3)


def test_fewer_pictures_than_components_will_do():
    assert RidgeRule(pieces(2), RATE).changes(torch.zeros(1, 1, 19_200), (1, T, 3, 16, 16)).shape == (1, T, 3, 16, 16)
