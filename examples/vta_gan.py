# %% [markdown]
# # Anomalies in video: VTA-GAN
#
# A model that has seen nothing but people walking scores every frame of a video in which something else happens.

# %%
from pathlib import Path

import matplotlib.pyplot as plt

import fulgurite
from fulgurite.cli import main

# %% [markdown]
# ## Train
#
# Without `--data.source` a small street scene is generated. The overlay `smoke` trains for seconds; leave it out for a
# model that sees something.

# %%
main(["fit", "--config", "vta_gan", "--config", "vta_gan/smoke", "--run.experiment", "example_vta_gan"])

# %% [markdown]
# ## Score a video
#
# `score` takes the path of a video, an array of frames or an iterable of them. What it returns are arrays.

# %%
model = fulgurite.load("runs/example_vta_gan/latest")
street = Path(model.data.write_demo())  # the generated scene lies in the cache
video = next(path for path in sorted((street / "test").iterdir()) if path.suffix == ".mp4")
scores = model.score(video, heat=True)
print(f"{scores.name}: {int(scores.anomalous.sum())} of {len(scores)} frames above {scores.threshold:.3g}")

# %% [markdown]
# ## Frame by frame
#
# `stream` yields each frame's score as soon as it is final, from a camera too, in memory that does not grow.

# %%
highest = max(model.stream(video), key=lambda frame: frame.score)
print(f"highest score {highest.score:.3g} at {highest.time:.2f} s")

# %% [markdown]
# ## See
#
# The scores over time, and the frame with the highest one beside its heat. `reconstruct` gives the frames as the model
# sees them, and what it makes of them: nothing yet, after a training of seconds.

# %%
shown = model.reconstruct(video)
figure, axes = plt.subplot_mosaic([["course", "course"], ["seen", "heat"]], figsize=(9, 6))
axes["course"].plot(scores.time, scores.score)
axes["course"].axhline(scores.threshold, linestyle="--", color="grey", label="threshold")
axes["course"].set(xlabel="time (s)", ylabel="score (raw)", title=scores.name)
axes["course"].legend()
axes["seen"].imshow(shown.picture[highest.frame])
axes["heat"].imshow(scores.heat_on_frame(highest.frame), cmap="inferno")
for name, title in (("seen", f"frame {highest.frame}"), ("heat", "heat")):
    axes[name].set_title(title)
    axes[name].axis("off")
figure.tight_layout()
figure.savefig("runs/example_vta_gan/latest/example.png", dpi=100)
