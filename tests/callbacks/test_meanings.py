from callbacks.clips.meanings import CLIP_MEANINGS
from callbacks.images.meanings import IMAGE_MEANINGS
from callbacks.meanings import Meaning, describe, references_of
from callbacks.parts.meanings import PART_MEANINGS
from callbacks.sound.meanings import SOUND_MEANINGS
from callbacks.sound.table import METRICS

TABLE = (
    Meaning("area", "the area", "higher", 0, 1),
    Meaning("area_baseline", "a rule", "higher", 0, 1, beside="area"),
    Meaning("area_<part>", "the area of <part>"),
    Meaning("fid_<part>_mean", "of the mean", beside="fid_<part>"),
    Meaning("fid_<part>", "in <part>"),
)


def test_the_first_entry_that_fits_counts_and_parts_are_filled_in():
    found = describe(["area_baseline", "area_flow.up", "fid_a_mean", "fid_a", "other", "AREA"], TABLE)
    assert found == {
        "area_baseline": {"means": "a rule", "better": "higher", "range": (0, 1), "beside": "area"},
        "area_flow.up": {"means": "the area of flow.up", "better": None, "range": (None, None), "beside": None},
        "fid_a_mean": {"means": "of the mean", "better": None, "range": (None, None), "beside": "fid_a"},
        "fid_a": {"means": "in a", "better": None, "range": (None, None), "beside": None},
    }
    assert references_of("area", found, ["area_flow.up", "area_baseline", "unknown"]) == ["area_baseline"]


def test_the_tables_say_each_thing_once_and_refer_to_what_they_describe():
    for table in (CLIP_MEANINGS, IMAGE_MEANINGS, PART_MEANINGS, SOUND_MEANINGS):
        names = [one.name for one in table]
        assert len(names) == len(set(names))
        for one in table:
            assert one.means
            assert not one.means.endswith(".")
            assert not one.trap or one.trap.endswith(".")
            assert one.beside is None or one.beside in names


def test_every_metric_of_sound_is_described():
    assert describe(METRICS, SOUND_MEANINGS).keys() == set(METRICS)
