"""Stands in for ``lightning fit`` where a test is about the sweep around it: the same files, the same answer to Ctrl-C.

The value of a trial is better the closer its learning rate is to 0.01, and grows with every validation. A file ``wait``
in the working directory lets it stay in its second epoch; ``no_test`` leaves nothing to be tested on; ``broken`` in a
setting lets it fail.
"""

import json
import math
import signal
import sys
import time
from pathlib import Path

EPOCHS = 4


def main(words: list[str]) -> None:
    given = dict(zip(words[1::2], words[2::2], strict=True))
    run = Path(given["--run.root"], given["--run.experiment"], given["--run.name"])
    with Path("started.txt").open("a") as file:
        file.write(f"{run.name} {'goes on' if '--ckpt_path' in given else 'begins'}\n")
    if given.get("--model.kind") == "cold" and Path("cold_is_broken").exists():
        sys.exit("error: the cold kind is broken")
    last = run / "checkpoints/last.ckpt"
    done = int(last.read_text()) if "--ckpt_path" in given else 0
    last.parent.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text("model: {}\n")
    record = {"command": ["lightning", *words], "finished": False, "monitor": given["--checkpoints.monitor"]}
    record["can_test"] = not Path("no_test").exists()
    table = run / "metrics.csv"
    if not done:
        table.write_text("step,train/loss,val/score\n")

    def end(*_: object) -> None:
        (run / "training.json").write_text(json.dumps(record))
        sys.exit(130)

    signal.signal(signal.SIGINT, end)
    value = math.nan
    for epoch in range(done + 1, EPOCHS + 1):
        value = 0.1 * epoch - abs(math.log10(float(given["--model.lr"])) + 2)
        with table.open("a") as file:
            file.write(f"{10 * epoch},0.5,\n{10 * epoch},,{value}\n")
        last.write_text(str(epoch))
        record["best_value"], record["epochs"] = value, epoch
        (run / "training.json").write_text(json.dumps(record))
        while epoch >= 2 and Path("wait").exists():
            time.sleep(0.01)
        time.sleep(0.06)
    (run / "training.json").write_text(json.dumps({**record, "finished": True}))


main(sys.argv[1:])
