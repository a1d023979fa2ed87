"""nvImageCodec by its own CPU decoders, where it is installed: what the code takes for granted of it."""

import numpy as np
import pytest
import simplejpeg

from gateway.cuda.jpeg_decoder import JpegDecoder
from tests.fakes.pictures import jpeg
from tests.gateway.cuda.small_pictures import corrupt, oriented, pillow, smooth

pytest.importorskip("nvidia.nvimgcodec", reason="nvImageCodec is not installed")


@pytest.fixture(scope="module")
def decoder() -> JpegDecoder:
    return JpegDecoder(None)


def test_each_frame_is_decoded_as_stored_and_a_corrupt_one_is_none(decoder: JpegDecoder) -> None:
    whole = jpeg(48, 32)
    frames = [whole, whole[: len(whole) // 2], b"no picture", oriented(jpeg(40, 30), 6), jpeg(33, 21, seed=1)]
    found = decoder.decode(frames, 0)
    assert [picture is None for picture in found] == [False, True, True, False, False]
    for frame, picture in zip(frames, found, strict=True):
        if picture is not None:
            np.testing.assert_array_equal(picture, simplejpeg.decode_jpeg(frame, "rgb"))


def test_damage_before_the_end_is_not_noticed(decoder: JpegDecoder) -> None:
    """So the guide says it, and frames without an end never come here."""
    (found,) = decoder.decode([corrupt()], 0)
    assert found is not None


def test_grey_becomes_rgb(decoder: JpegDecoder) -> None:
    (found,) = decoder.decode([pillow(smooth(48, 36)[:, :, 0], "jpeg")], 0)
    assert found is not None
    assert found.shape == (36, 48, 3)


def test_only_what_is_no_picture(decoder: JpegDecoder) -> None:
    assert decoder.decode([b"", b"x"], 0) == [None, None]
