"""Another package of a user's own: models that decode."""

import torch

from lightning_models.training.phases import PhasedModule

SIZE = 100


class TinyPainter(PhasedModule):
    """Paints a grey as bright as its one weight and the first latent number say."""

    phases, phase_modules = ("painter",), {"painter": ("brush",)}
    latent_dim = 3

    def __init__(self, ema_decay: float = 0.0) -> None:
        super().__init__(
            optimizers={"painter": lambda parameters: torch.optim.SGD(parameters, lr=0.1)},
            averaged_phase="painter",
            ema_decay=ema_decay,
        )
        self.brush = torch.nn.Linear(1, 1, bias=False)

    def painter_loss(self, batch: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"far": (self.brush.weight - 3).square().sum()}

    def validation_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
        self.log("val/score", self.brush.weight.sum())

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        return torch.sigmoid(self.brush.weight * z[:, :1])[..., None, None].expand(-1, 1, SIZE, SIZE)


class Filmer(TinyPainter):
    def generate_video(self, z: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.decode(z * share) for share in (0.0, 0.5, 1.0)], dim=1)


class Chooser(TinyPainter):
    """Draws from two places: the noise itself, or twice as far out."""

    sampler, samplers = "far", ("prior", "far")

    def latents(self, noise: torch.Tensor, sampler: str | None = None) -> torch.Tensor:
        return noise * (2 if (sampler or self.sampler) == "far" else 1)

    def can_draw(self, sampler: str) -> bool:
        return True
