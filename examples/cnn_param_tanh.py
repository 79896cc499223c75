# %% [markdown]
# # Drawing pictures: CNNParamTanh
#
# A generator draws pictures that never were, and short clips that begin with them.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import fulgurite
from fulgurite.cli import main

# %% [markdown]
# ## Train
#
# Without `--data.source` cars are drawn to learn from. So that the pictures begin to look like something in seconds,
# this trains some batches more than the overlay `smoke` has, at a higher rate, and weighs the reconstruction more.

# %%
experiment = ["--config", "cnn_param_tanh", "--config", "cnn_param_tanh/smoke"]
longer = ["--trainer.limit_train_batches", "70", "--trainer.max_epochs", "2", "--trainer.check_val_every_n_epoch", "2"]
faster = ["--model.generator_optimizer.lr", "0.002", "--model.weights.reconstruction", "1", "--model.n_critic", "1"]
main(["fit", *experiment, *longer, *faster, "--run.experiment", "example_cnn_param_tanh"])

# %% [markdown]
# ## Draw
#
# The n-th sample depends on the seed and n alone: the first eight of sixty-four are these.

# %%
model = fulgurite.load("runs/example_cnn_param_tanh/latest")
drawn = model.sample(8, seed=1, clips=True)
print(f"pictures {drawn.picture.shape}, clips {drawn.clip.shape}")

# %% [markdown]
# ## From one to another
#
# `model.module` is the Lightning module itself; its `decode` makes a picture of any latent vector.

# %%
first, last = torch.from_numpy(drawn.vector[:2])
steps = torch.linspace(0, 1, 8)[:, None]
with torch.inference_mode():
    pictures = model.module.decode(((1 - steps) * first + steps * last).to(model.device))
between = pictures.cpu().permute(0, 2, 3, 1).numpy()

# %% [markdown]
# ## See

# %%
rows = {
    "samples": drawn.picture,
    "from the first to the second": between,
    "a clip of the first": drawn.clip[0, ::6][:8],
}
figure, axes = plt.subplots(len(rows), 8, figsize=(9, 4))
for line, (title, pictures) in zip(axes, rows.items(), strict=True):
    line[0].set_title(title, loc="left", fontsize=9)
    for cell, picture in zip(line, pictures, strict=True):
        cell.imshow(np.clip(picture, 0, 1).squeeze())
        cell.axis("off")
figure.tight_layout()
figure.savefig("runs/example_cnn_param_tanh/latest/example.png", dpi=100)
