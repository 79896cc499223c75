"""Arguments of parts that are switched off are refused; those that nobody gave are not."""

from functools import partial

import pytest

from datamodules.errors import InputError
from lightning_models import VTAGAN, AitexVAE, AudioToVideo, CNNParamTanh, MotorVAEGAN
from lightning_models.audio_to_video import AudioToVideoNetLegacy
from lightning_models.effective import effective
from lightning_models.variational import make_posterior
from lightning_models.vta_gan.optical_flow import OpticalFlow

OFF = {"adversarial": "off"}
FAR = {"flow_backend": "farneback"}
NO_FLOW = {"flow_backend": "none"}
ALONE = {"temporal_attention": False}
SMALL = {
    VTAGAN: {"ngf": 2, **NO_FLOW, **ALONE},
    AitexVAE: {"tile_size": 32, "width": 2, "latent_dim": 4},
    CNNParamTanh: {"image_size": 16},
    MotorVAEGAN: {"image_size": 32, "width": 2},
    AudioToVideo: {"image_size": 16, "network": partial(AudioToVideoNetLegacy, width=16)},
}


@pytest.mark.parametrize(
    ("kind", "switch", "given", "needs"),
    [
        *((VTAGAN, flow, {"flow_width": 1.0}, "flow_backend flownet_sd") for flow in (FAR, NO_FLOW)),
        *((VTAGAN, flow, {"flow_weights": "flow.pth"}, "flow_backend flownet_sd") for flow in (FAR, NO_FLOW)),
        (VTAGAN, ALONE, {"token_width": 256}, "temporal_attention true"),
        (VTAGAN, ALONE, {"positional_encoding": "learned"}, "temporal_attention true"),
        *(
            (VTAGAN, OFF, given, "adversarial bce or hinge")
            for given in ({"ndf": 64}, {"discriminator_norm": "group"}, {"pseudo_fakes": True}, {"pseudo_fakes": False})
        ),
        *((AitexVAE, {"posterior": kind}, {"rank": 4}, "posterior low_rank") for kind in ("diagonal", "full")),
        (AitexVAE, {"posterior": "full"}, {"free_bits": 0.1}, "posterior diagonal"),
        *(
            (kind, {"weights": {"kl": 0.0}}, {"free_bits": 0.1}, "weights.kl above 0")
            for kind in (AitexVAE, CNNParamTanh, MotorVAEGAN)
        ),
        (MotorVAEGAN, {}, {"feature_layer": 3}, "weights.feature above 0"),
        (CNNParamTanh, {"num_frames": 1}, {"motion": "noise"}, "num_frames above 1"),
        (AudioToVideo, {"weights": {"mismatch": 0.0}}, {"mismatch_margin": 0.05}, "weights.mismatch above 0"),
    ],
)
def test_what_would_change_nothing_is_refused(kind, switch, given, needs):
    ((name, value),) = given.items()
    shown = str(value).lower() if isinstance(value, bool) else value
    message = rf"^model\.{name} is {shown}, but changes nothing without model\.{needs}: set that, or model\.{name} to "
    with pytest.raises(InputError, match=message):
        kind(**{**SMALL[kind], **switch, **given})
    kind(**{**SMALL[kind], **switch})  # the default that nobody touched


def test_networks_alone_refuse_it_too():
    with pytest.raises(InputError, match="flow_width"):
        OpticalFlow("farneback", width=1.0)
    with pytest.raises(InputError, match="rank"):
        make_posterior("diagonal", 8, 4, rank=2)


def test_a_value_that_counts_is_taken_and_none_is_the_default():
    assert effective("size", 3, 4, True, "part true") == 3
    assert effective("size", None, 4, True, "part true") == 4
    assert effective("size", None, 4, False, "part true") == 4
    assert effective("size", False, True, True, "part true") is False
