"""The camera: viewing angle, lens blur, motion blur and sensor noise."""

import cv2
import numpy as np
from numpy.typing import NDArray

from model_training.patch import Canvas
from model_training.texture_bank import TextureBank

NOISE_PLATE_SIGMA = 32.0


def draw_homography(
    rng: np.random.Generator, *, frame_wh: tuple[int, int], corner_shift_share: float
) -> NDArray[np.float64]:
    """A viewing angle: the homography (3, 3) from the flat scene to the frame, each corner moved a little outwards."""
    width, height = frame_wh
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    outwards = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    shift = rng.uniform(0.0, corner_shift_share, (4, 2)).astype(np.float32)
    return np.asarray(
        cv2.getPerspectiveTransform(corners, corners + outwards * shift * np.array([width, height], np.float32)),
        dtype=np.float64,
    )


def photograph(
    scene: Canvas,
    homography: NDArray[np.float64],
    *,
    blur_sigma_px: float,
    noise_sigma: float,
    bank: TextureBank,
    rng: np.random.Generator,
) -> Canvas:
    """Take the picture: perspective, blur, noise. Returns a new (H, W, 3) BGR picture."""
    size = (scene.shape[1], scene.shape[0])
    picture = cv2.warpPerspective(scene, homography, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    if blur_sigma_px > 0.5:
        # Half of the strong blurs come from the moving belt: a box along x with the same spread.
        if blur_sigma_px > 2.0 and rng.random() < 0.5:
            picture = cv2.blur(picture, (int(blur_sigma_px * 3.46) | 1, 1))
        else:
            picture = cv2.GaussianBlur(picture, (0, 0), blur_sigma_px)
    plate = bank.sensor
    top = int(rng.integers(plate.shape[0] - size[1]))
    left = int(rng.integers(plate.shape[1] - size[0]))
    gain = noise_sigma / NOISE_PLATE_SIGMA
    noise = plate[top : top + size[1], left : left + size[0]]
    return np.asarray(cv2.addWeighted(picture, 1.0, noise, gain, -128.0 * gain), dtype=np.uint8)
