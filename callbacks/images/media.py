"""What a generative autoencoder makes, on sheets: reconstructions, samples, traversals, interpolations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.colour_bar import scales_of, with_bars
from callbacks.images.drawn import decode, latents
from callbacks.images.sheets import colour, grid, linear, spherical, write_clips
from callbacks.media import MediaCallback
from callbacks.panels import panel, to_pictures
from callbacks.picture_file import Picture
from datamodules.batches import ImageBatch, Reconstructions
from datamodules.errors import InputError
from datamodules.gathering import gather_objects
from datamodules.png_file import write_png
from datamodules.protocols import Decodes, Encodes, GeneratesVideo, HasSplitManifest, HasVisuals, HasVisualScales
from datamodules.seeding import derive_seed

TRAVERSED, REACH, STEPS = 8, 3.0, 9  # dimensions, standard deviations to either side, pictures
BETWEEN = 9  # pictures of an interpolation, both ends included
SAMPLED_CLIPS = 4  # samples


class ImageMedia(MediaCallback):
    """Writes ``media/batch-<batches>-<sheet>.png`` after a validation, and sends it to Weights & Biases.

    Sheets: ``reconstructions`` (above each one its input, and what the module's ``visuals`` adds, such as a map of
    ``alpha`` in colours), each of these visuals alone below its input (``alpha``), ``samples`` of latent vectors that
    are always the same, ``traversals`` (the first picture, one latent dimension a row moved from -3 to 3, those first
    whose posterior means vary most over the validation pictures), ``interpolation`` between two pictures, along the
    straight line and along the arc. Of a module with ``generate_video`` also ``video``, clips of the first samples as
    MP4 and GIF.

    Args:
        pictures: pictures on the sheet of reconstructions, the first ones of the validation.
        samples: samples on their sheet.
        between: names of the two pictures to interpolate, both of the validation (the data module's
            ``split_manifest()["splits"]["validation"]``, paths below its source); None takes the first two.
        every_n_validations: 1 shows every validation; those of the last epoch are shown always.
        keep: newest validations whose files stay in the folder.
        seed: of the samples.
    """

    def __init__(
        self,
        pictures: int = 16,
        samples: int = 64,
        between: tuple[str, str] | None = None,
        every_n_validations: int = 1,
        keep: int = 20,
        seed: int = 0,
    ) -> None:
        super().__init__(every_n_validations, keep, pictures=pictures, samples=samples)
        self.pictures, self.samples, self.between, self.seed = pictures, samples, between, seed
        self._seen = _Seen()

    def media_names(self, model: Any) -> list[str]:
        """Return the names of what is shown."""
        maps = model.visual_scales if isinstance(model, HasVisualScales) else ()
        clips = ["video"] if isinstance(model, GeneratesVideo) else []
        return [f"val/{name}" for name in ("reconstructions", *maps, "samples", "traversals", "interpolation", *clips)]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look for the pictures to interpolate before the first epoch, where the data module tells their names."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]  # set without a type
        if self.between and isinstance(data, HasSplitManifest):
            _check_names(self.between, data.split_manifest()["splits"]["validation"])

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the pictures of the last time."""
        self._seen = _Seen()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the pictures that are shown, and sum up how the posterior means vary."""
        if not isinstance(outputs, Reconstructions) or not isinstance(batch, ImageBatch) or trainer.sanity_checking:
            return
        seen, mean = self._seen, outputs.mean.detach().double().cpu()
        seen.count += len(mean)
        seen.sums = seen.sums + torch.stack([mean.sum(0), mean.square().sum(0)])
        seen.names += batch.name
        for row, (name, index) in enumerate(zip(batch.name, batch.index.tolist(), strict=True)):
            if len(seen.rows) < max(self.pictures, 2) or name in (self.between or ()):
                seen.rows[index] = (name, batch.images[row].cpu(), outputs.reconstructed[row].detach().float().cpu())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the sheets.

        Raises:
            InputError: if a picture to interpolate is not among those of the validation.
        """
        if trainer.sanity_checking:
            return
        due, dry = self.is_due(trainer), bool(trainer.fast_dev_run)  # type: ignore[attr-defined]  # set without a type
        last = trainer.max_epochs is not None and trainer.current_epoch + 1 >= trainer.max_epochs > 0 and not dry
        if not due and not last:
            return
        seen = _joined(gather_objects(self._seen))  # small; each process has met other pictures
        self._seen = _Seen()
        if not trainer.is_global_zero or not seen.rows:
            return
        if not (isinstance(pl_module, Encodes) and isinstance(pl_module, Decodes)):
            raise TypeError(f"{type(pl_module).__name__} lacks encode, decode or latent_dim; leave ImageMedia out")
        with torch.no_grad():
            sheets = {
                **self._reconstructions(pl_module, seen),
                "samples": grid({"sample": colour(decode(pl_module, self._noise(pl_module)))}),
                "traversals": _traversals(pl_module, seen),
                "interpolation": self._interpolation(pl_module, seen),
            }
            for name, sheet in sheets.items():
                path = self.file(trainer, "batch", f"-{name}.png")
                write_png(path, sheet)
                self.publish(trainer, f"val/{name}", path)
            if isinstance(pl_module, GeneratesVideo):
                video = self.file(trainer, "batch", "-video.mp4")
                z = latents(pl_module, self._noise(pl_module)[:SAMPLED_CLIPS])
                write_clips(video.with_suffix(""), pl_module.generate_video(z))
                self.publish(trainer, "val/video", video)
                self.remove_oldest(video.with_suffix(".gif"))

    def _noise(self, module: Any) -> Tensor:
        random = torch.Generator().manual_seed(derive_seed(self.seed, "sheet"))
        return torch.randn(self.samples, module.latent_dim, generator=random).to(module.device)

    def _reconstructions(self, module: Any, seen: "_Seen") -> dict[str, Picture]:
        """Return the sheet of reconstructions, and one of each further visual of the module beside its input."""
        rows = [seen.rows[index] for index in sorted(seen.rows)][: self.pictures]
        batch = ImageBatch(
            images=torch.stack([picture for _, picture, _ in rows]).to(module.device),
            name=[name for name, _, _ in rows],
            label=torch.zeros(len(rows), dtype=torch.long, device=module.device),
            index=torch.arange(len(rows), device=module.device),
        )
        shown = {
            "input": colour(batch.images / 255),
            "reconstruction": colour(torch.stack([one for _, _, one in rows])),
        }
        further = dict(module.visuals(batch)) if isinstance(module, HasVisuals) else {}
        sheets = {"reconstructions": shown | further}
        sheets |= {name: {"input": shown["input"], name: visual} for name, visual in further.items()}
        scales = scales_of(module, further)
        return {
            name: with_bars(grid(sheet), {key: scale for key, scale in scales.items() if key in sheet})
            for name, sheet in sheets.items()
        }

    def _interpolation(self, module: Any, seen: "_Seen") -> Picture:
        by_name = {name: picture for name, picture, _ in (seen.rows[index] for index in sorted(seen.rows))}
        ends = self.between or tuple(list(by_name)[:2])
        _check_names(ends, seen.names)
        pair = torch.stack([by_name[ends[0]], by_name[ends[-1]]]).to(module.device)
        first, second = module.encode(pair).float()
        clips = {
            "linear": module.decode(linear(first, second, BETWEEN)),
            "spherical": module.decode(spherical(first, second, BETWEEN)),
        }
        caption = f"{ends[0]} to {ends[-1]}"
        return panel(to_pictures({name: colour(clip)[None] for name, clip in clips.items()}), [caption])


def _check_names(wanted: Sequence[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            near = (get_close_matches(name, known, n=1) or [*known])[:1]
            raise InputError(
                f"ImageMedia: between names {name!r}, which no picture of the validation is called. "
                f"Give two of them, for example {near[0]!r}."
            )


@dataclass
class _Seen:
    """What a process has met in a validation."""

    rows: dict[int, tuple[str, Tensor, Tensor]] = field(default_factory=dict)  # index -> name, picture, reconstructed
    names: list[str] = field(default_factory=list)
    count: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))  # (2, D): of means, of squares


def _joined(parts: Sequence[_Seen]) -> _Seen:
    whole = _Seen()
    for part in parts:
        whole.rows |= part.rows
        whole.names += part.names
        whole.count += part.count
        whole.sums = whole.sums + part.sums
    return whole


def _traversals(module: Any, seen: _Seen) -> Picture:
    mean, square = seen.sums / seen.count
    variance = (square - mean.square()).tolist()
    active = sorted(range(len(variance)), key=lambda dimension: -variance[dimension])[:TRAVERSED]
    _, picture, _ = seen.rows[min(seen.rows)]
    z = module.encode(picture[None].to(module.device)).float().expand(STEPS, -1)
    rows = {}
    for dimension in active:
        moved = z.clone()
        moved[:, dimension] = torch.linspace(-REACH, REACH, STEPS)
        rows[f"dimension {dimension}, variance {variance[dimension]:.2g}: -{REACH:g} to {REACH:g}"] = colour(
            module.decode(moved)
        )[None]
    return panel(to_pictures(rows), [""])
