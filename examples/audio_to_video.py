# %% [markdown]
# # Pictures that follow a sound: AudioToVideo
#
# One network draws the frames that belong to a sound.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fulgurite
from fulgurite.cli import main

# %% [markdown]
# ## Train
#
# Without `--data.source` music is generated, and what is seen of it. Untrained, this net draws the mean of the pictures
# that it learns from; in seconds it learns little more.

# %%
experiment = ["--config", "audio_to_video", "--config", "audio_to_video/smoke"]
main(["fit", *experiment, "--run.experiment", "example_audio_to_video"])

# %% [markdown]
# ## Draw to a sound
#
# `draw` takes a file with sound, or samples with their rate.

# %%
model = fulgurite.load("runs/example_audio_to_video/latest")
music = Path(model.data.write_demo())  # the generated music lies in the cache
drawn = model.draw(next(iter(sorted(music.rglob("*.mp4")))))
print(f"{drawn.name}: {len(drawn)} pictures, {drawn.fps:g} a second, {drawn.frames.shape[1:3]} pixels")

# %% [markdown]
# ## Does the picture follow the sound?
#
# A rising tone against silence of the same length, both as samples.

# %%
rate = 16_000
time = np.arange(2 * rate) / rate
tone = 0.5 * np.sin(2 * np.pi * (220 + 220 * time) * time)
loud, silent = model.draw(tone, rate=rate), model.draw(np.zeros(2 * rate), rate=rate)
differs = np.abs(loud.frames.astype(float) - silent.frames).mean((1, 2, 3))
print(f"the tone moves a pixel by {differs.mean():.2f} of 255 levels")

# %% [markdown]
# ## See

# %%
figure, axes = plt.subplot_mosaic([list("abcdefgh"), ["course"] * 8], figsize=(9, 4))
for name, number in zip("abcdefgh", np.linspace(0, len(drawn) - 1, 8).astype(int), strict=True):
    axes[name].imshow(drawn.frames[number])
    axes[name].set_title(f"{drawn.time[number]:.1f} s", fontsize=9)
    axes[name].axis("off")
axes["course"].plot(loud.time, differs)
axes["course"].set(xlabel="time (s)", ylabel="mean difference", title="a tone against silence, in grey levels of 255")
figure.tight_layout()
figure.savefig("runs/example_audio_to_video/latest/example.png", dpi=100)
