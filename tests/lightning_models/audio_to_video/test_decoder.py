"""The decoder in chunks against the plain network on all frames at once."""

import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from datamodules.errors import InputError
from lightning_models.audio_to_video import decoder as module
from lightning_models.audio_to_video.decoder import FrameDecoder


def plain(decoder):
    """The same weights as torch's own modules, one after another."""
    layers = [decoder.seed, nn.Unflatten(1, (-1, 8, 8)), decoder.doublings[0]]
    for norm, double in zip(decoder.norms, decoder.doublings[1:], strict=True):
        layers += [nn.GELU(), norm, double]
    return nn.Sequential(*layers, nn.Sigmoid())


def twins(chunk, **changes):
    torch.manual_seed(0)
    ours = FrameDecoder(**{"width": 32, "image_size": 64, **changes}, chunk=chunk).double()
    for norm in ours.norms:
        nn.init.normal_(norm.weight, 1, 0.3)
        nn.init.normal_(norm.bias, 0, 0.3)
    theirs = FrameDecoder(**{"width": 32, "image_size": 64, **changes}).double()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs, plain(theirs)


@pytest.mark.parametrize("chunk", [1, 3, 11])
def test_chunks_change_nothing(chunk):
    ours, theirs, reference = twins(chunk)
    features = torch.randn(11, 32, dtype=torch.float64)
    inputs = [features.clone().requires_grad_() for _ in range(2)]
    target = torch.rand(11, 3, 64, 64, dtype=torch.float64)
    generated = [network(entry) for network, entry in zip((ours, reference), inputs, strict=True)]
    for frames in generated:
        F.mse_loss(frames, target).backward()
    torch.testing.assert_close(generated[0], generated[1])
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    for (name, weight), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, other.grad, msg=lambda text, name=name: f"{name}: {text}")
    for (name, buffer), other in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(buffer, other, msg=lambda text, name=name: f"{name}: {text}")


def test_a_step_counts_once():
    ours, _, _ = twins(2)
    ours(torch.randn(7, 32, dtype=torch.float64)).sum().backward()
    assert [int(norm.num_batches_tracked) for norm in ours.norms] == [1, 1]


def test_trained_statistics_serve_in_evaluation():
    ours, _, reference = twins(4)
    features = torch.randn(9, 32, dtype=torch.float64)
    ours(features)
    before = {name: buffer.clone() for name, buffer in ours.named_buffers()}
    ours.eval()
    reference.load_state_dict(plain(ours).state_dict())
    reference.eval()
    torch.testing.assert_close(ours(features), reference(features))
    assert all(torch.equal(buffer, before[name]) for name, buffer in ours.named_buffers())


@pytest.mark.parametrize(("kind", "mean"), [(torch.float32, 300), (torch.bfloat16, 10)])
def test_a_large_mean_costs_no_accuracy(kind, mean):
    """Sums of squares in float32 would lose the variance, and so would statistics in what autocast draws in."""
    maps = [(mean + torch.rand(2, 4, 8, 8)).to(kind), (mean + 1 + torch.rand(3, 4, 8, 8)).to(kind)]
    norm = nn.BatchNorm2d(4)
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
        factor, summand = module._fold(norm, maps)
    both = F.gelu(torch.cat(maps)).double()
    expected = F.batch_norm(both, None, None, training=True)
    torch.testing.assert_close(both * factor + summand, expected, rtol=0, atol=1e-3)


def test_chunks_under_autocast_draw_what_all_frames_at_once_do():
    ours, theirs, _ = twins(3)
    features = torch.randn(11, 32)
    with torch.autocast("cpu", torch.bfloat16):
        chunked, at_once = ours.float()(features), theirs.float()(features)
    torch.testing.assert_close(chunked, at_once, rtol=0, atol=0.02)


class Peak(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive at once."""

    def __init__(self):
        super().__init__()
        self.alive, self.peak, self.known = 0, 0, weakref.WeakSet()

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage() not in self.known:
                storage = tensor.untyped_storage()
                self.known.add(storage)
                self.alive += storage.nbytes()
                weakref.finalize(storage, self.free, storage.nbytes())
        self.peak = max(self.peak, self.alive)
        return result

    def free(self, size):
        self.alive -= size


def test_chunks_save_memory():
    ours, _, reference = twins(2, width=64, image_size=32)
    features = torch.randn(64, 64, dtype=torch.float64)
    peaks = []
    for network in (ours, reference):
        with Peak() as peak:
            network(features).sum().backward()
        peaks.append(peak.peak)
    assert peaks[0] < 0.7 * peaks[1]


@pytest.mark.parametrize("size", [16, 32, 256])
def test_any_power_of_two(size):
    generated = FrameDecoder(32, size).eval()(torch.randn(2, 32))
    assert generated.shape == (2, 3, size, size)
    assert 0 <= generated.min() <= generated.max() <= 1


@pytest.mark.parametrize("size", [0, 8, 24, 100, 130])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match=f"image_size: is {size}"):
        FrameDecoder(32, size)


def test_a_width_that_cannot_be_halved_is_refused():
    with pytest.raises(InputError, match="width: 24 cannot be halved 4 times"):
        FrameDecoder(24, 256)


def test_an_empty_chunk_is_refused():
    with pytest.raises(InputError, match="chunk"):
        FrameDecoder(32, 64, 0)


def test_statistics_over_processes_are_refused():
    synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(FrameDecoder(32, 32, chunk=1))
    with pytest.raises(InputError, match="sync_batchnorm"):
        synchronised(torch.randn(2, 32))
