"""The verb watch: scores of a camera, a stream or a file while it comes in, with alarms, clips and a page.

lightning watch --run runs/vta_gan --source rtsp://camera.local/stream --false-alarms-per-hour 1 --normal quiet.mp4
lightning watch --run runs/vta_gan --source my.mp4 --threshold 1.2 --page 8080
"""

import json
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

from callbacks.clips.events import GAP, RELEASE, SHORTEST, EventRule, check_durations, release_level
from callbacks.clips.false_alarms import AlarmRate
from callbacks.figures import several
from datamodules.clips.live_source import read_source, without_secrets
from datamodules.errors import InputError, refuse_several
from datamodules.protocols import KnowsCommand, WatchesVideo
from fulgurite.errors import readable_errors
from fulgurite.live.normal import NormalScores, refuse_short, threshold_of_rate
from fulgurite.live.session import Watch
from fulgurite.live.wishes import Wishes, open_stream
from fulgurite.quiet import keep_quiet
from fulgurite.run_folder import RunFolder
from fulgurite.runs import timestamp
from fulgurite.signals import SIGNALS
from fulgurite.train import CommandLine, Parser

DASHED = ("false-alarms-per-hour", "longest-clip", "on-alarm", "page-host", "real-time")
"""Options that are written with dashes; the parser knows them with underscores."""
_LEAST_ROOM = 32  # frames that may wait


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``watch``; see :func:`fulgurite.cli.main`."""
    keep_quiet()
    # Lightning tells of callbacks of the training that are not here; they have nothing to do in a watch
    warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`")
    with readable_errors():
        WatchCommand(as_parsed(sys.argv[1:] if argv is None else argv))


def as_parsed(words: Sequence[str]) -> list[str]:
    """Return the words of the command as the parser takes them.

    A first word that is no option is the source, several words behind ``--normal`` are a list, and dashes within the
    names of our options are underscores.
    """
    verb, *rest = words
    rest = ["--source", *rest] if rest and not rest[0].startswith("-") else rest
    parsed: list[str] = []
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name == "--normal":
            videos = [value] if equals else []
            while not equals and rest and not rest[0].startswith("--"):
                videos.append(rest.pop(0))
            parsed.append(f"--normal={json.dumps(videos)}")
        elif name.removeprefix("--") in DASHED:
            alone = name == "--real-time" and not equals and (not rest or rest[0].startswith("--"))
            parsed.append(f"--{name[2:].replace('-', '_')}" + ("=true" if alone else f"{equals}{value}"))
        else:
            parsed.append(word)
    return [verb, *parsed]


class WatchingTrainer(Trainer):
    """Lightning's trainer, which can also watch."""

    def watch(
        self,
        model: LightningModule,
        datamodule: LightningDataModule | None = None,
        ckpt_path: str | None = None,
        source: str | None = None,
        out: str | None = None,
        threshold: float | None = None,
        false_alarms_per_hour: float | None = None,
        normal: list[str] | None = None,
        release: str = RELEASE,
        shortest: float = SHORTEST,
        gap: float = GAP,
        clips: bool = True,
        before: float = 3.0,
        after: float = 3.0,
        longest_clip: float = 60.0,
        on_alarm: str | None = None,
        page: int | None = None,
        page_host: str = "127.0.0.1",
        real_time: bool = False,
        follow: float | None = None,
    ) -> None:
        """Score live video frame by frame, and raise an alarm where an event begins. Ctrl-C ends it.

        Args:
            model: The model; it scores frames.
            datamodule: Its data module, which brings frames to the model's size and cuts windows.
            ckpt_path: best, last or the path of a checkpoint.
            source: Number of a camera, an address (rtsp, http, ...), or a file. Also the first word of all.
            out: Folder to write into; watch/DATE in the run folder when not given.
            threshold: Raw score above which an event begins; the model's own when not given.
            false_alarms_per_hour: Choose the threshold so that normal video has at most so many events an hour.
            normal: Normal videos for that, or folders of them; those held out of the training when not given.
            release: An event ends below this: a share of the threshold such as 80%, or a raw score.
            shortest: Seconds that an event lasts at least.
            gap: Seconds between two events up to which they are one.
            clips: Whether to write a clip of every event.
            before: Seconds of a clip before its event.
            after: Seconds of a clip after its event.
            longest_clip: Seconds after which a clip ends, however long its event goes on.
            on_alarm: Command to run when a clip is finished, without a shell; {clip} {event} {start} {score}
                {threshold} are replaced.
            page: Port of a page with the picture and the score; 0 takes a free one.
            page_host: Address that the page listens at; by default only this machine can open it.
            real_time: Whether to read a file at its own pace.
            follow: Read a file that grows, until it has not for so many seconds.

        Raises:
            InputError: If the system cannot watch, or an option is out of its range.
        """
        if source is None:
            raise InputError(
                "--source: not given; name a file, the number of a camera, or an address such as rtsp://..."
            )
        watched = read_source(source)
        wishes = Wishes(clips, before, after, longest_clip, on_alarm, page, page_host, real_time, follow)
        wishes.check(watched)
        refuse_several(self.world_size, "trainer.devices: watch works")
        if not isinstance(datamodule, WatchesVideo):
            raise InputError(
                f"data: {type(datamodule).__name__} cuts no windows out of live video, so that "
                f"{type(model).__name__} cannot watch; VTAGAN with VideoSnippetDataModule can"
            )
        rule = partial(EventRule.of, release=release, shortest=shortest, gap=gap)
        check_durations(shortest, gap)  # refused now, before anything is loaded
        release_level(release, 1.0)
        rate = None
        if false_alarms_per_hour is not None:
            if threshold is not None:
                raise InputError("--threshold and --false-alarms-per-hour: give one of them")
            rate = self._rate(model, datamodule, ckpt_path, false_alarms_per_hour, normal or [], rule)
            threshold = rate.threshold
        elif normal:
            raise InputError("--normal: is for --false-alarms-per-hour; give that too, or leave it out")
        folder = Path(out) if out else Path(self.default_root_dir) / "watch" / timestamp()
        final = datamodule.frames_until_final
        room, span = max(_LEAST_ROOM, 2 * final), datamodule.num_frames * datamodule.frame_step
        sooner = "--data.eval_batch_size 1 makes it fewer" if final > 2 * span else ""  # windows wait for each other
        watch = Watch(folder, watched, wishes, threshold, rate, rule, several(final, "frame"), sooner)
        watch.command = next((one.command for one in self.chosen if isinstance(one, KnowsCommand)), [])
        watch.stream = open_stream(watched, wishes, datamodule.letterbox, span, room, watch.tell, _is_asked_to_end)
        datamodule.watch(watch.stream, watch.scores)
        own = [one for one in self.chosen if not isinstance(one, ProgressBar | RunFolder)]
        self.chosen = [*own, watch, watch.scores]
        try:
            self.predict(model, datamodule=datamodule, return_predictions=False, ckpt_path=ckpt_path)
        finally:
            watch.close()

    def _rate(
        self,
        model: LightningModule,
        data: Any,
        ckpt_path: str | None,
        rate: float,
        normal: Sequence[str],
        rule: Callable[[float], EventRule],
    ) -> AlarmRate:
        """Return what a rate of false alarms means on normal video, which is scored for it."""
        if not 0 < rate < 1e6:
            raise InputError(f"--false-alarms-per-hour {rate:g}: give a number above 0")
        what = "the video of --normal" if normal else "the normal video held out of the training"
        sources = data.predict_normal([Path(one).expanduser() for one in normal])
        refuse_short(sources, rate, what)
        print(f"Scoring {what}: {several(len(sources), 'video')}", flush=True)
        scores = NormalScores()
        before = self.chosen
        self.chosen = [*(one for one in before if not isinstance(one, RunFolder)), scores]
        self.predict(model, datamodule=data, return_predictions=False, ckpt_path=ckpt_path)
        self.chosen = before
        return threshold_of_rate(scores.recordings(sources), sources, rate, what, rule)

    @property
    def chosen(self) -> list[Callback]:
        """The callbacks, which Lightning sets without a type."""
        return self.callbacks

    @chosen.setter
    def chosen(self, callbacks: list[Callback]) -> None:
        self.callbacks = callbacks


class WatchParser(Parser):
    """The parser, whose help shows our options as they are written."""

    def format_help(self, *args: Any, **kwargs: Any) -> str:
        """Return the help."""
        text = str(super().format_help(*args, **kwargs))
        for name in DASHED:
            text = text.replace(f"--{name.replace('-', '_')}", f"--{name}")
        return text


class WatchCommand(CommandLine):
    """The command line of ``watch``."""

    trainer_kind: ClassVar[type[Trainer]] = WatchingTrainer
    parser_kind: ClassVar[type[Parser]] = WatchParser

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # as in CommandLine
        """Return the verb, with the arguments that are not options."""
        return {"watch": {"model", "datamodule"}}

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the trainer without the experiment's callbacks: they wait for data that end."""
        self.built("trainer")["callbacks"] = []
        self.typed = [shown(word) for word in self.typed]
        return super().instantiate_trainer(**kwargs)


def shown(word: str) -> str:
    """Return a word of the command as it may be kept: without what an address has of passwords."""
    option, equals, value = word.partition("=")
    if "://" not in word:
        return word
    return f"{option}={without_secrets(value)}" if equals and "://" not in option else without_secrets(word)


def _is_asked_to_end() -> bool:
    return SIGNALS.received is not None
