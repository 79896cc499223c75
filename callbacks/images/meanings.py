"""What the metrics of a generative autoencoder mean."""

from callbacks.meanings import Meaning

SAMPLERS = (
    ("prior", "the prior"),
    ("gaussian", "the Gaussian of the training's latent vectors"),
    ("mixture", "a mixture of Gaussians of the training's latent vectors"),
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
    *(Meaning(f"fid_<part>_from_{name}", f"that of samples drawn from {what}", "lower", 0) for name, what in SAMPLERS),
    *(Meaning(f"kid_<part>_from_{name}", f"that of samples drawn from {what}", "lower") for name, what in SAMPLERS),
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
        "sample_diversity",
        "distance of two samples divided by that of two pictures",
        None, 0, None,
        trap="1 is best. 0 is a model that draws one picture; noise has a high one.",
    ),
    Meaning("pairwise_distance_pictures", "root mean square distance of two pictures of the split", None, 0, 1),
)  # fmt: skip
