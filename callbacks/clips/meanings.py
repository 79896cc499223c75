"""What the metrics of scored frames mean."""

from callbacks.meanings import Meaning

_OF_A_KIND = (
    "Of a validation alone, whose anomalies are made; where few or short clips are held out some kinds are missing. "
    "frame_auroc_micro is there their mean, each weighted by its frames, whether somebody looks for that kind or not."
)
_SHOWS = {
    "speed": "of a clip that runs twice as fast",
    "paste": "that something from elsewhere crosses",
    "reverse": "with a part where time runs backwards",
    "freeze": "with a part where time stands still",
}

CLIP_MEANINGS = (
    Meaning(
        "frame_auroc_micro",
        "how often an anomalous frame scores above a normal one, over all frames of all videos, on raw scores",
        "higher", 0, 1,
        trap="0.5 is chance. Scores of videos that differ in light or distance are compared with each other; that is "
        "what one threshold for all of them has to live with.",
    ),
    Meaning(
        "frame_auroc_minmax",
        "the same after the scores of every video were brought to [0, 1]",
        "higher", 0, 1,
        trap="What most papers report. It needs the whole video before its first score, and calls something in every "
        "video anomalous; no camera can be watched so.",
    ),
    Meaning(
        "frame_auroc_macro",
        "the same within each video, averaged over the videos that have both kinds of frames",
        "higher", 0, 1,
        trap="Videos with one kind of frames only are left out: counts.videos_left_out_of_macro.",
    ),
    *(
        Meaning(
            f"frame_auroc_of_{kind}", f"how often a frame {shows} scores above a normal one",
            "higher", 0, 1, trap=_OF_A_KIND,
        )
        for kind, shows in _SHOWS.items()
    ),
    Meaning(
        "frame_ap",
        "average precision of calling frames anomalous, from the highest score down",
        "higher", 0, 1,
        trap="Chance is the share of anomalous frames, not 0.5: compare it on the same data only.",
    ),
    Meaning(
        "frame_eer",
        "rate of errors at the threshold where as many normal frames are called anomalous as anomalous ones are missed",
        "lower", 0, 1,
        trap="That threshold is found by the test labels; nobody has it in use.",
    ),
    Meaning(
        "frame_auroc_micro_baseline", "what the speed of classical optical flow alone reaches, nothing learned",
        "higher", 0, 1, beside="frame_auroc_micro",
        trap="It is calibrated as the model is, on the same videos. A model that does not beat it is of no use.",
    ),
    Meaning(
        "frame_auroc_minmax_baseline", "what the speed of classical optical flow alone reaches, nothing learned",
        "higher", 0, 1, beside="frame_auroc_minmax",
    ),
    Meaning(
        "frame_auroc_micro_frame_index", "what the mere number of the frame reaches: later is more anomalous",
        "higher", 0, 1, beside="frame_auroc_micro",
        trap="Far from 0.5 the data set gives itself away by when its anomalies come.",
    ),
    Meaning(
        "frame_auroc_minmax_frame_index", "what the mere number of the frame reaches: later is more anomalous",
        "higher", 0, 1, beside="frame_auroc_minmax",
    ),
    Meaning(
        "frame_auroc_micro_<part>", "what the evidence <part> alone reaches on raw scores", "higher", 0, 1,
        trap="The best of many on the test is no method: which one that is, the test labels have told.",
    ),
    Meaning("frame_auroc_minmax_<part>", "what the evidence <part> alone reaches after min-max", "higher", 0, 1),
    Meaning(
        "pixel_auroc",
        "how often an anomalous pixel is hotter than a normal one, over the frames that have a mask",
        "higher", 0, 1,
        trap="Nearly all pixels are normal: 0.95 still lets much of a normal picture glow.",
    ),
    Meaning(
        "rbdc",
        "share of the anomalous regions that are found where they are, averaged over 0 to 1 false regions a frame",
        "higher", 0, 1,
        trap="A region is found by an overlap of a tenth (intersection over union): a good heat that is coarser than "
        "what it finds scores low. Published figures are of boxes that people drew; where the source has none, this is "
        "of the regions of the masks at the size the model sees.",
    ),
    Meaning(
        "tbdc",
        "share of the anomalous tracks of which a tenth of the regions is found, averaged over 0 to 1 false regions a "
        "frame",
        "higher", 0, 1,
        trap="Where the source has no boxes with tracks, these go on by overlap from frame to frame, since masks "
        "know none: who is hidden for a frame begins a new one. Chance is not 0: of a long track a tenth is soon met "
        "by accident.",
    ),
    Meaning(
        "f1",
        "harmonic mean of precision and recall of frames at the calibrated threshold, which no test label has seen",
        "higher", 0, 1,
        trap="Calling every frame anomalous reaches 2p / (1 + p) where p is the share of anomalous frames.",
    ),
)  # fmt: skip
