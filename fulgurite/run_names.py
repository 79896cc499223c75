"""What the files of a run folder are called; imports nothing, for what has to answer at once."""

LATEST = "latest"
"""Link beside the runs of an experiment to the newest that can be used."""
CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"
BEST = "best.ckpt"
LOCK = ".lock"
TRAINING = "training.json"  # as callbacks.training_record calls it
TRIAL = "trial.json"
"""What a sweep says of a run of its own."""
UNFINISHED = ".tmp-"  # as datamodules.atomic_file has its drafts begin
