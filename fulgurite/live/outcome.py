"""What came of a watch, for ``about.json`` and for the last line."""

from collections.abc import Mapping
from typing import Any

from callbacks.figures import duration, several
from datamodules.clips.live_stream import LiveStream, Stream
from fulgurite.live.alarms import Alarms
from fulgurite.live.clips import ClipRecorder
from fulgurite.live.commands import AlarmCommand
from fulgurite.live.scores import LiveScores

FAILURES = {
    "rows_lost": ("row", "of the tables not written"),
    "clips_failed": ("clip", "not written"),
    "commands_failed": ("command", "of --on-alarm"),
    "lost_connections": ("time", "the source was lost"),
}
"""What ends no watch, and is told in the end: what is counted, and what became of it."""


def found(
    scores: LiveScores,
    stream: Stream,
    alarms: Alarms | None,
    recorder: ClipRecorder | None,
    command: AlarmCommand | None,
    seconds: float,
) -> dict[str, Any]:
    """Return the counts of a watch that has lasted so many seconds, ready for JSON."""
    return {
        "frames": scores.scored,
        "dropped": stream.dropped,
        "unscored": scores.unscored,
        "events": alarms.count if alarms else 0,
        "rows_lost": alarms.scores.lost + alarms.events.lost if alarms else 0,
        "clips_failed": recorder.failed if recorder else 0,
        "commands_failed": command.failed if command else 0,
        "lost_connections": stream.losses if isinstance(stream, LiveStream) else 0,
        "seconds": round(seconds, 3),
    }


def summary(counts: Mapping[str, Any], place: str) -> list[str]:
    """Return what :func:`found` says, and where it lies, in a line; in a second one what failed."""
    parts = [several(counts["frames"], "frame") + " scored", f"{counts['dropped']:,} dropped"]
    parts += [f"{counts['unscored']:,} in pieces shorter than a window"] if counts["unscored"] else []
    parts += [several(counts["events"], "event"), duration(counts["seconds"])]
    failed = [f"{several(counts[key], one)} {what}" for key, (one, what) in FAILURES.items() if counts[key]]
    return [", ".join(parts) + f"; {place}", *([f"Failed: {', '.join(failed)}"] if failed else [])]
