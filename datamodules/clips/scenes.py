"""The scenes of the generated data: each another place under another light, in pixels, frames and grey levels."""

from dataclasses import dataclass
from typing import Literal

SceneName = Literal["street", "alley", "plaza", "night", "haze"]

Colour = tuple[int, int, int]
Events = tuple[str, ...]

TEST_CLIPS: tuple[Events, ...] = (
    ("slow cyclist",),
    ("cyclist",),
    ("cart",),
    ("wrong way",),
    ("crossing",),
    ("slow cyclist", "runner"),
)
"""What happens in the test clips of a scene. A slow cyclist is as fast as those who walk, a cart a little slower."""


@dataclass(frozen=True)
class Scene:
    """A place where people walk in lanes.

    Attributes:
        seed: first part of the seeds of its clips, behind which the split and the clip come; none for the first scene.
        height: of the picture.
        width: of the picture.
        horizon: row where the ground begins.
        lanes: row of the feet and direction (1 to the right) of each, from far to near.
        kerbs: rows of the lines along the ground.
        far: height of a body whose feet are at the horizon.
        growth: of the body with every row below it.
        walk: pace of a walker, in heights of the body a frame.
        crowd: walkers at the start, and at most.
        arrivals: chance that another one comes in a frame.
        crossing: row where somebody who crosses the lanes begins, and rows a frame.
        margin: columns beside the picture where somebody enters and leaves.
        exposure: share of the light that reaches the camera.
        lamps: row and column below each of them, where it is as bright as by day.
        light: lowest and highest grey level that is added to all of a clip, as haze does.
        noise: standard deviation of the camera's noise.
        wall: colour above the horizon.
        ground: colour below it.
        tests: what happens in the test clips.
    """

    seed: tuple[int, ...]
    height: int
    width: int
    horizon: int
    lanes: tuple[tuple[float, int], ...]
    kerbs: tuple[int, ...]
    far: float
    growth: float
    walk: float
    crowd: tuple[int, int]
    arrivals: float
    crossing: tuple[float, float]
    margin: float = 12.0
    exposure: float = 1.0
    lamps: tuple[tuple[int, int], ...] = ()
    light: tuple[float, float] = (-6, 6)
    noise: float = 2.0
    wall: Colour = (150, 128, 112)
    ground: Colour = (128, 128, 124)
    tests: tuple[Events, ...] = TEST_CLIPS


SCENES: dict[SceneName, Scene] = {
    "street": Scene(
        seed=(),
        height=128,
        width=128,
        horizon=44,
        lanes=((58.0, -1), (66.0, -1), (92.0, 1), (108.0, 1)),
        kerbs=(50, 60, 76, 100),
        far=8,
        growth=0.30,
        walk=0.042,
        crowd=(6, 9),
        arrivals=0.06,
        crossing=(88.0, 1.5),
        tests=(("runner",), ("cyclist",), ("cart",), ("wrong way",), ("crossing",), ("cart", "runner")),
    ),
    # narrow and shaded, few people, near ones five times as tall as far ones
    "alley": Scene(
        seed=(1,),
        height=160,
        width=128,
        horizon=36,
        lanes=((52.0, 1), (72.0, -1), (104.0, -1), (140.0, 1)),
        kerbs=(44, 60, 88, 122),
        far=5,
        growth=0.45,
        walk=0.036,
        crowd=(3, 5),
        arrivals=0.04,
        crossing=(92.0, 2.0),
        margin=30.0,
        exposure=0.7,
        wall=(140, 104, 86),
        ground=(132, 124, 112),
    ),
    # from high above, at noon: a crowd of equally small people in many lanes
    "plaza": Scene(
        seed=(2,),
        height=128,
        width=128,
        horizon=6,
        lanes=((24.0, 1), (38.0, -1), (54.0, 1), (70.0, -1), (88.0, 1), (106.0, -1), (120.0, 1)),
        kerbs=(30, 62, 96),
        far=13,
        growth=0.05,
        walk=0.055,
        crowd=(15, 20),
        arrivals=0.15,
        crossing=(70.0, 1.1),
        exposure=1.12,
        noise=1.5,
        wall=(120, 120, 120),
        ground=(168, 160, 146),
    ),
    # wide and dark, two lamps, a noisy camera
    "night": Scene(
        seed=(3,),
        height=112,
        width=144,
        horizon=40,
        lanes=((56.0, 1), (64.0, 1), (82.0, -1), (98.0, -1)),
        kerbs=(48, 72, 90),
        far=9,
        growth=0.32,
        walk=0.045,
        crowd=(4, 7),
        arrivals=0.05,
        crossing=(78.0, 1.3),
        exposure=0.35,
        lamps=((70, 36), (84, 112)),
        light=(-3, 3),
        noise=4.0,
    ),
    # low contrast; everybody walks the same way, quickly
    "haze": Scene(
        seed=(4,),
        height=112,
        width=160,
        horizon=30,
        lanes=((48.0, 1), (60.0, 1), (76.0, 1), (96.0, 1)),
        kerbs=(40, 54, 68, 86),
        far=7,
        growth=0.34,
        walk=0.056,
        crowd=(8, 12),
        arrivals=0.10,
        crossing=(74.0, 1.6),
        exposure=0.55,
        light=(62, 78),
        wall=(160, 160, 164),
        ground=(140, 142, 140),
    ),
}
