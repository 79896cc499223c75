# %% [markdown]
# # Inspecting parts: AitexVAE
#
# A model that has seen faultless cloth says where a piece of cloth deviates from it.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

import fulgurite
from fulgurite.cli import main

# %% [markdown]
# ## Train
#
# Without `--data.source` a weave with known defects is generated.

# %%
main(["fit", "--config", "aitex_vae", "--config", "aitex_vae/smoke", "--run.experiment", "example_aitex_vae"])

# %% [markdown]
# ## Score pictures
#
# `score_each` takes a folder and yields the answer to one picture before it reads the next one.

# %%
model = fulgurite.load("runs/example_aitex_vae/latest")
weave = Path(model.data.write_demo())  # the generated weave lies in the cache
good = sorted((weave / "NoDefect_images").rglob("*.png"))[:4]
bad = sorted((weave / "Defect_images").rglob("*.png"))[:4]
answers = [*model.score_each([*good, *bad])]
for answer in answers:
    print(f"{answer.name}: score {answer.score:.3g}, {len(answer.boxes)} places, defective: {answer.defective}")

# %% [markdown]
# ## See
#
# The picture with the highest score, its heat and its boxes; the dashed line is the threshold of a picture.

# %%
worst = max(answers, key=lambda answer: answer.score)
path = next(path for path in [*good, *bad] if path.stem == worst.name)
figure, (above, middle, below) = plt.subplots(3, 1, figsize=(9, 6))
above.imshow(plt.imread(path), cmap="gray")
above.set_title(worst.name)
middle.imshow(worst.heat, cmap="inferno", vmin=0, vmax=2 * worst.pixel_threshold)
for box in worst.boxes:
    middle.add_patch(Rectangle((box.x, box.y), box.width, box.height, fill=False, edgecolor="cyan"))
middle.set_title(f"heat from column {worst.start} on, and {len(worst.boxes)} places above {worst.pixel_threshold:.3g}")
for axes in (above, middle):
    axes.axis("off")
colours = ["grey"] * len(good) + ["crimson"] * len(bad)
below.bar(np.arange(len(answers)), [answer.score for answer in answers], color=colours)
below.axhline(worst.threshold, linestyle="--", color="black")
below.set(ylabel="score (raw)", xticks=[], xlabel="grey: faultless, red: defective")
figure.tight_layout()
figure.savefig("runs/example_aitex_vae/latest/example.png", dpi=100)
