"""What the metrics of video drawn to sound mean."""

from callbacks.meanings import Meaning

_TESTS = {"shuffle": "the sound of another clip", "silence": "silence"}

SOUND_MEANINGS = (
    Meaning(
        "l1",
        "mean absolute error of a pixel, in shares of the range from black to white",
        "lower", 0, 1,
        trap="A still mean picture has a small one. Whether the picture follows the sound is told by "
        "shuffle_l1_increase_low alone.",
    ),
    Meaning("psnr", "likeness of the pictures in decibels, of the squared error of all pixels", "higher",
            trap="A still picture in the right place has a high one: where little moves, most of the range is taken by "
            "what does not."),
    Meaning(
        "psnr_own_mean_picture", "what the mean picture of each piece reaches, which nobody can know from the sound",
        "higher", beside="psnr",
    ),
    Meaning("ssim", "structural likeness of the pictures", "higher", -1, 1,
            trap="Of single pictures: it does not see when something moves."),
    Meaning("temporal_difference", "mean absolute error of the change from picture to picture", "lower", 0, 2,
            trap="Movement at the wrong time has a larger one than none: read that of a still picture beside it."),
    Meaning(
        "temporal_difference_still", "what any still picture has: how much the real pictures change", "lower", 0, 1,
        beside="temporal_difference",
    ),
    Meaning("frame_change", "how much the drawn pictures change from one to the next", None, 0, 1,
            trap="Flicker has a high one; temporal_difference_still is that of the real pictures."),
    Meaning(
        "av_align",
        "peaks of movement that are peaks of sound, intersection over union",
        "higher", 0, 1,
        trap="Coarse: read it between chance and target, and compare it at one rate of pictures only.",
    ),
    Meaning("av_align_other_sound", "what chance gives: the same against another clip's sound", "higher", 0, 1,
            beside="av_align"),
    Meaning("av_align_target", "what the real pictures have", "higher", 0, 1, beside="av_align"),
    Meaning(
        "change_loudness_correlation", "correlation of the change of the pictures with the loudness", "higher", -1, 1,
        trap="Where the real pictures do not change with the loudness either, it says nothing: read the target.",
    ),
    Meaning(
        "change_loudness_correlation_target", "what the real pictures have", "higher", -1, 1,
        beside="change_loudness_correlation",
    ),
    *(
        meaning
        for test, sound in _TESTS.items()
        for meaning in (
            Meaning(f"{test}_l1", f"error of what is drawn to {sound}", None, 0, 1),
            Meaning(
                f"{test}_l1_increase",
                f"how much larger the error to {sound} is, mean over clips: above 0 the pictures follow the sound",
                "higher", -1, 1,
                trap="Believe it where its lower end (_low) is above 0, too.",
            ),
            Meaning(f"{test}_l1_increase_low", "lower end of its 95 % interval over clips", "higher",
                    trap="Over clips, not pieces, which are alike within a clip; of few clips it is wide."),
            Meaning(f"{test}_l1_increase_high", "upper end of its 95 % interval over clips", "higher"),
            Meaning(f"{test}_l1_increase_relative", f"how much larger the error to {sound} is, in shares of l1",
                    "higher", -1, None,
                    trap="Of a background that never moves the error is small, and a share of it soon large."),
            Meaning(f"{test}_l1_increase_relative_low", "lower end of its 95 % interval over clips", "higher"),
            Meaning(f"{test}_l1_increase_relative_high", "upper end of its 95 % interval over clips", "higher"),
        )
    ),
    Meaning("l1_moving", "error in the 3 % of a piece's pixels that move most in its real pictures", "lower", 0, 1,
            trap="What is hard to know is most of it: read it beside that of other runs only."),
    Meaning(
        "shuffle_moving",
        "how much larger the error to the sound of another clip is in the 3 % of pixels that move most, in shares",
        "higher", -1, None,
        trap="Bolder movement has more of it and a larger error too: read l1_moving beside it.",
    ),
    Meaning("shuffle_moving_low", "lower end of its 95 % interval over clips", "higher"),
    Meaning("shuffle_moving_high", "upper end of its 95 % interval over clips", "higher"),
    Meaning(
        "fast_change",
        "how much what is drawn changes from picture to picture, in shares of the real pictures, in the 3 % of a "
        "piece's pixels that change fastest there",
        None, 0, None,
        trap="1 is as lively as the real pictures, but flicker is lively too: read fast_correlation beside it.",
    ),
    Meaning(
        "fast_correlation",
        "correlation of these changes with the real ones, over pixels and pictures",
        "higher", -1, 1,
        trap="Before a talker a part of these pixels are lids, whose blinking nobody hears.",
    ),
    Meaning("fast_correlation_other_sound", "what chance gives: the same to another clip's sound", "higher", -1, 1,
            beside="fast_correlation"),
    *(
        Meaning(f"shuffle_baseline{part}{end}", f"{which} of ridge regression from the sound, which is given each "
                "piece's mean picture and learned from the training clips", "higher", beside=beside)
        for part, beside in (("", "shuffle_l1_increase_relative"), ("_moving", "shuffle_moving"))
        for end, which in (("", "that"), ("_low", "lower end of the 95 % interval"), ("_high", "upper end of it"))
    ),
    Meaning("silence_frame_change", "how much the pictures change where nothing is heard", None, 0, 1),
)  # fmt: skip
