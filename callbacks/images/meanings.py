"""What the metrics of a generative autoencoder mean."""

from callbacks.meanings import Better, Meaning

SAMPLERS = (
    ("prior", "the prior"),
    ("gaussian", "the Gaussian of the training's latent vectors"),
    ("mixture", "a mixture of Gaussians of the training's latent vectors"),
)

MEASURES: tuple[tuple[str, Better, float | None, float | None], ...] = (
    ("fid", "lower", 0, None),
    ("kid", "lower", None, None),
    ("precision", "higher", 0, 1),
    ("recall", "higher", 0, 1),
)

IMAGE_MEANINGS = (
    Meaning(
        "psnr",
        "likeness of reconstructions in decibels, of the squared error of all pixels",
        "higher", None, None,
        trap="Of reconstructions, not of what is invented. A blurred picture can have a high one.",
    ),
    Meaning("psnr_mean_picture", "what the best single picture reaches, nothing learned", "higher", beside="psnr",
            trap="Of the pictures that are judged, which no training has seen: no model can know it."),
    Meaning("ssim", "structural likeness of reconstructions", "higher", -1, 1,
            trap="Of reconstructions too. In flat regions noise that nobody sees lowers it."),
    Meaning(
        "kl",
        "what the latent vector tells of a picture, in nats: divergence of posterior from prior",
        None, 0, None,
        trap="Near 0 the latent vector tells nothing and every sample is the mean; very large, samples from the prior "
        "lie where no picture was.",
    ),
    Meaning("active_units", "latent dimensions that vary from picture to picture", "higher", 0, None,
            trap="How many are needed depends on the pictures; counts.latent_dim is the most there can be."),
    Meaning(
        "fid_<part>_mean_picture", "what the mean picture, repeated, reaches", "lower", 0, None, beside="fid_<part>"
    ),
    Meaning(
        "kid_<part>_mean_picture", "what the mean picture, repeated, reaches", "lower", None, None, beside="kid_<part>"
    ),
    Meaning(
        "kid_<part>_halves", "one half of the pictures against the other: as good as can be", "lower", None, None,
        beside="kid_<part>",
        trap="There is none for FID, whose value depends on the number of pictures.",
    ),
    Meaning(
        "precision_<part>_halves", "one half of the pictures against the other: as good as can be", "higher", 0, 1,
        beside="precision_<part>",
    ),
    Meaning(
        "recall_<part>_halves", "one half of the pictures against the other: as good as can be", "higher", 0, 1,
        beside="recall_<part>",
    ),
    *(
        Meaning(f"{measure}_<part>_from_{name}", f"that of samples drawn from {what}", better, lowest, highest)
        for measure, better, lowest, highest in MEASURES
        for name, what in SAMPLERS
    ),
    Meaning(
        "fid_<part>",
        "distance between samples and pictures in the features <part>, Fréchet",
        "lower", 0, None,
        trap="Grows the fewer the pictures; compare it at one number of them and with one extractor only. Only that of "
        "inception compares with the literature.",
    ),
    Meaning(
        "kid_<part>",
        "distance between samples and pictures in the features <part>, kernel; unbiased",
        "lower", None, None,
        trap="Can be a little below 0 where there is no difference.",
    ),
    Meaning(
        "precision_<part>",
        "share of samples in the neighbourhood of a picture, in the features <part>",
        "higher", 0, 1,
        trap="Samples that all show the same can have 1, even plain grey: read recall and kid_<part> beside it.",
    ),
    Meaning(
        "recall_<part>",
        "share of pictures in the neighbourhood of a sample, in the features <part>",
        "higher", 0, 1,
        trap="Samples that are scattered widely reach every picture: read precision beside it.",
    ),
    Meaning(
        "novelty",
        "distance of a sample from the nearest training picture, divided by that of a picture of the test; medians",
        None, 0, None,
        trap="0 is a copy of a training picture, 1 is as far from them as a new photograph. Blurred samples lie near "
        "every picture and are below 1 too: plots/nearest.png shows which it is.",
    ),
    Meaning(
        "sample_diversity",
        "distance of two samples divided by that of two pictures",
        None, 0, None,
        trap="1 is best. 0 is a model that draws one picture; noise has a high one.",
    ),
    Meaning("pairwise_distance_pictures", "root mean square distance of two pictures of the split", None, 0, 1),
)  # fmt: skip
