import json

import pytest

from fulgurite.run_list.state import NOBODY_SAID, state_of
from fulgurite.run_names import TRAINING, UNFINISHED

OLD = "an older release has not noted how it ended"


@pytest.mark.parametrize(
    ("files", "state", "reason"),
    [
        ({TRAINING: '{"finished": true, "ended": "finished"}'}, "finished", ""),
        ({TRAINING: '{"finished": true}'}, "finished", ""),
        ({TRAINING: '{"finished": false, "ended": "failed", "reason": "no memory"}'}, "failed", "no memory"),
        ({TRAINING: '{"finished": false, "ended": "aborted", "reason": "Ctrl-C"}'}, "aborted", "Ctrl-C"),
        ({TRAINING: '{"finished": false, "ended": null, "reason": null}'}, "aborted", NOBODY_SAID),
        ({TRAINING: '{"finished": false}'}, "unknown", OLD),
        ({TRAINING: "{"}, "unknown", "training.json is damaged"),
        ({TRAINING: "[]"}, "unknown", "training.json is damaged"),
        ({"config.yaml": ""}, "aborted", NOBODY_SAID),
        ({".lock": ""}, "aborted", "it ended before its training began"),
        ({"config.yaml": "", "checkpoints/last.ckpt": ""}, "unknown", OLD),
        ({TRAINING: '{"finished": false, "ended": "aborted"}', "trial.json": '{"state": "pruned"}'}, "pruned", ""),
        ({TRAINING: '{"finished": true}', "trial.json": '{"state": "complete"}'}, "finished", ""),
        ({TRAINING: '{"finished": true}', "trial.json": "?"}, "finished", ""),
    ],
)
def test_what_is_on_the_disk_tells_how_a_run_stands(files, state, reason, tmp_path):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert state_of(tmp_path) == (state, reason)


def test_names_are_those_of_the_parts_that_write_them():
    from callbacks import checkpoints, training_record
    from datamodules import atomic_file
    from fulgurite import run_names
    from fulgurite.sweeps import trial

    assert training_record.FILE == TRAINING
    assert trial.FILE == run_names.TRIAL
    assert atomic_file.DRAFT == UNFINISHED
    assert checkpoints.FOLDER == run_names.CHECKPOINTS


def test_looking_at_a_run_does_not_keep_a_training_out(tmp_path):
    import threading

    from fulgurite.run_lock import RunLock

    (tmp_path / TRAINING).write_text(json.dumps({"finished": True}))
    ended = threading.Event()
    onlooker = threading.Thread(target=lambda: [state_of(tmp_path) for _ in iter(ended.is_set, True)])
    onlooker.start()
    try:
        lock = RunLock(tmp_path)
        lock.acquire()
        lock.release()
    finally:
        ended.set()
        onlooker.join()
