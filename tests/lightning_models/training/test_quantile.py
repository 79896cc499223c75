import torch

from lightning_models.training import quantile as module
from lightning_models.training.quantile import quantile


def test_more_values_than_torch_takes_have_the_same_quantile(monkeypatch):
    values = torch.randn(7, 143, generator=torch.Generator().manual_seed(0))
    expected = {share: values.quantile(share) for share in (0.0, 0.5, 0.9, 0.99, 1.0)}
    assert all(torch.equal(quantile(values, share), value) for share, value in expected.items())
    monkeypatch.setattr(module, "TORCH_MOST", 1000)
    for share, value in expected.items():
        torch.testing.assert_close(quantile(values, share), value, rtol=1e-5, atol=1e-6)
