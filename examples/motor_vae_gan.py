# %% [markdown]
# # Embedding pictures: motorVAEGAN
#
# An autoencoder puts pictures into a space in which neighbours look alike; scikit-learn does the rest.

# %%
import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fulgurite
from fulgurite.cli import main

# %% [markdown]
# ## Train
#
# Without `--data.source` cars are drawn, each after twelve numbers that are kept beside them.

# %%
experiment = ["--config", "motor_vae_gan", "--config", "motor_vae_gan/smoke"]
main(["fit", *experiment, "--run.experiment", "example_motor_vae_gan"])

# %% [markdown]
# ## Embed
#
# `embed` takes a folder, paths, or pictures in memory. The answer can be handed to scikit-learn as it is.

# %%
model = fulgurite.load("runs/example_motor_vae_gan/latest")
cars = Path(model.data.write_demo())  # the drawn cars lie in the cache
files = sorted(cars.glob("*.png"))[:300]
embedded = model.embed(files)
print(f"{len(embedded)} pictures as vectors of {embedded.vector.shape[1]} numbers")

# %% [markdown]
# ## Neighbours

# %%
neighbours = NearestNeighbors(n_neighbors=6).fit(embedded).kneighbors(embedded.vector[:3], return_distance=False)

# %% [markdown]
# ## What the vectors know
#
# A linear regression reads the numbers that a car was drawn after off its vector: R² is 1 where it can, 0 where it
# cannot.

# %%
with (cars / "factors.csv").open() as file:
    factors = {row.pop("picture"): row for row in csv.DictReader(file)}
for key in ("length", "x", "ground", "daylight", "hue"):
    wanted = np.array([float(factors[path.name][key]) for path in files])
    reader = make_pipeline(StandardScaler(), Ridge())
    print(f"{key}: R² {cross_val_score(reader, embedded, wanted, cv=4, scoring='r2').mean():.2f}")

# %% [markdown]
# ## See

# %%
figure, axes = plt.subplots(3, 6, figsize=(9, 5))
for row, found in zip(axes, neighbours, strict=True):
    for cell, number in zip(row, found, strict=True):
        cell.imshow(plt.imread(files[number]))
        cell.axis("off")
figure.suptitle("a car, and its five nearest neighbours")
figure.tight_layout()
figure.savefig("runs/example_motor_vae_gan/latest/example.png", dpi=100)
