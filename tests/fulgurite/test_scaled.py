import pytest

from callbacks import ClipPredictions, ImagePredictions, SoundPredictions
from datamodules.errors import InputError
from fulgurite.scaled import set_scale


def test_who_writes_what_was_drawn_is_told():
    callbacks = [ClipPredictions(), ImagePredictions(), SoundPredictions()]
    set_scale(callbacks, 4)
    assert [callback.scale for callback in callbacks[1:]] == [4, 4]
    assert not hasattr(callbacks[0], "scale")


def test_what_changes_nothing_is_refused():
    set_scale([ClipPredictions()], 1)
    with pytest.raises(InputError, match="--scale 4: no callback here writes pictures that the model has drawn"):
        set_scale([ClipPredictions()], 4)
    with pytest.raises(InputError, match="scale"):
        set_scale([ImagePredictions()], 40)
