"""What a user wants of a watch, and the frames that it is of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datamodules.clips.live_source import LiveSource, follow, open_live
from datamodules.clips.live_stream import FileStream, LiveStream, Prepare, Stream
from datamodules.clips.video_stream import find_predict_sources
from datamodules.errors import InputError
from datamodules.letterbox import Letterbox
from fulgurite.live.commands import words_of


@dataclass(frozen=True)
class Wishes:
    """What a user wants of a watch, checked as far as that needs no model.

    Attributes:
        clips: whether clips are written.
        before: seconds of a clip before its alarm.
        after: seconds after its event.
        longest: seconds after which it ends in any case.
        on_alarm: command that is run for every alarm.
        page: port of the page.
        page_host: address that it listens at.
        real_time: whether a file is read at its own pace.
        follow: seconds without growth after which a growing file is finished; None: it is whole.
    """

    clips: bool
    before: float
    after: float
    longest: float
    on_alarm: str | None
    page: int | None
    page_host: str
    real_time: bool
    follow: float | None

    def check(self, source: LiveSource) -> None:
        """Refuse what does not go together.

        Raises:
            InputError: naming it.
        """
        for option, seconds in (("before", self.before), ("after", self.after), ("longest-clip", self.longest)):
            if not 0 <= seconds < 86400:
                raise InputError(f"--{option} {seconds:g}: give seconds, from 0 to a day")
        if self.on_alarm is not None:
            words_of(self.on_alarm)
        if self.on_alarm and not self.clips and "{clip}" in self.on_alarm:
            raise InputError("--on-alarm: names {clip}, but --clips is false; leave one of them out")
        for option, given in (("real-time", self.real_time), ("follow", self.follow is not None)):
            if given and source.is_live:
                raise InputError(f"--{option}: is for files, and --source is {source.shown}; leave it out")
        if self.follow is not None and not (Path(source.text).is_file() and 0 < self.follow < 1e9):
            raise InputError(f"--follow {self.follow:g}: give seconds above 0, and a file as --source")


def open_stream(
    source: LiveSource,
    wishes: Wishes,
    letterbox: Letterbox,
    span: int,
    room: int,
    tell: Callable[[str], None],
    is_over: Callable[[], bool],
) -> Stream:
    """Return the frames of a source.

    Args:
        source: where they come from.
        wishes: how a file is read, and who needs the originals.
        letterbox: brings them to the model's size.
        span: frames that a window needs.
        room: frames that may wait before some are left out.
        tell: gets a sentence when a source is lost or back.
        is_over: whether to end.
    """
    prepare = Prepare(letterbox, wishes.clips or wishes.page is not None)
    if source.is_live:
        return LiveStream(source.shown, lambda: open_live(source), prepare, room, tell, is_over)
    if wishes.follow is not None:
        frames = follow(source, wishes.follow, is_over)
    else:
        (video, *others) = find_predict_sources(Path(source.text), span, "error")
        if others:
            raise InputError(f"--source {source.shown}: holds several videos; name one of them")
        frames = ((number / video.fps, frame) for number, frame in enumerate(video.read()))
    return FileStream(frames, prepare, is_over, wishes.real_time)
