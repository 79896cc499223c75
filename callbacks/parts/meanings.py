"""What the metrics of inspected parts mean."""

from callbacks.meanings import Meaning

_BLUR = "the largest deviation of the blurred tile from its mean, nothing learned"
_MAHALANOBIS = "the distance of eight statistics of the tile from those of normal tiles, nothing learned"

_AREAS = (
    Meaning(
        "tile_auroc_macro",
        "how often a defective tile scores above a tile of a faultless picture of its group, averaged over groups",
        "higher", 0, 1,
        trap="Groups without defective tiles or without faultless pictures are left out.",
    ),
    Meaning(
        "tile_auroc_within",
        "how often a defective tile scores above a clean tile of the same pictures",
        "higher", 0, 1,
        trap="The figure that no difference between recordings can win.",
    ),
    Meaning(
        "tile_auroc_gap",
        "how often a clean tile beside a defect scores above a faultless picture's: what the recording gives away",
        None, 0, 1,
        trap="0.5 is best. Far above it, part of tile_auroc is how defective parts were recorded, not their defects.",
    ),
    Meaning(
        "tile_auroc",
        "how often a defective tile scores above a tile of a faultless picture, groups pooled",
        "higher", 0, 1,
        trap="Pooling lets a group that is brighter or coarser decide for all; read macro and within beside it.",
    ),
)  # fmt: skip

PART_MEANINGS = (
    *_AREAS,
    *(
        Meaning(f"{one.name}_baseline_{rule}", f"what a rule reaches: {what}", one.better, 0, 1, beside=one.name)
        for one in _AREAS
        for rule, what in (("blur", _BLUR), ("mahalanobis", _MAHALANOBIS))
    ),
    *(Meaning(f"{one.name}_<part>", f"{one.name} of the evidence <part> alone", one.better, 0, 1) for one in _AREAS),
    Meaning(
        "tile_ap",
        "average precision of calling tiles defective, from the highest score down",
        "higher", 0, 1,
        trap="Chance is the share of defective tiles, often below 0.05: compare it on the same data only.",
    ),
    Meaning(
        "f1",
        "harmonic mean of precision and recall of tiles at the calibrated threshold, which no test label has seen",
        "higher", 0, 1,
        trap="The threshold lets about one normal tile in a hundred pass for defective; where defects are rarer than "
        "that, false alarms outnumber them and it is low for the best of models.",
    ),
    Meaning("image_auroc", "how often a defective picture's highest score is above a faultless one's", "higher", 0, 1,
            trap="What the recording gives away counts here as in tile_auroc: read tile_auroc_gap beside it."),
    Meaning(
        "pixel_auroc",
        "how often a defective pixel is hotter than a clean one",
        "higher", 0, 1,
        trap="One large defect outweighs many small ones, and nearly all pixels are clean.",
    ),
    Meaning(
        "aupro",
        "mean share of each defect that is found, over thresholds with up to 30 % of clean pixels called defective",
        "higher", 0, 1,
        trap="Every defect counts the same, however small. At 30 % false pixels nobody could work; it ranks, no more.",
    ),
)  # fmt: skip
