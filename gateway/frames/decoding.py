"""From a model's output to detections in pixels of the frame, as the card says. Pure."""

from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from contracts.model_card import ModelCard
from gateway.device_output import ModelOutput, SelectionOptions
from gateway.errors import InvalidModelOutput
from vision.errors import VisionError
from vision.heads import candidates_of
from vision.letterbox import Placement, to_frame
from vision.nms import select_detections

Detections = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]


class Decoder:
    """Thresholds, NMS and the way back to frame pixels for one build.

    Args:
        card: The build's model card.
    """

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._thresholds = np.array(
            [card.thresholds.by_label.get(label, card.thresholds.default) for label in card.labels], dtype=np.float32
        )

    def decode(self, output: ModelOutput, placement: Placement, threshold: float | None = None) -> Detections:
        """Decode one frame's output.

        Args:
            output: The tensor named by the card, without the batch axis; from the GPU only what is kept is copied.
            placement: How the frame was placed into the input.
            threshold: Lowest score for every class, instead of the card's.

        Returns:
            Boxes FP32 (M, 4) as x1, y1, x2, y2 in frame pixels, scores FP32 (M,), classes INT32 (M,); best first.

        Raises:
            InvalidModelOutput: NaN or infinite numbers, or another shape than the decoder's.
            DeviceLost: The output was on a GPU.
        """
        nms = self._card.nms
        thresholds = self._thresholds if threshold is None else np.full_like(self._thresholds, threshold)
        try:
            kept = self._select(
                output,
                thresholds=thresholds,
                iou_threshold=nms.iou_threshold,
                class_agnostic=nms.class_agnostic,
                max_detections=nms.max_detections,
            )
        except (VisionError, ValueError) as error:
            raise InvalidModelOutput(self._card.build, str(error)) from error
        return to_frame(kept[:, :4], placement), kept[:, 4], kept[:, 5].astype(np.int32)

    def _select(self, output: ModelOutput, **options: Unpack[SelectionOptions]) -> NDArray[np.float32]:
        if isinstance(output, np.ndarray):
            return select_detections(candidates_of(output, self._card.output.decoder), **options)
        return output.select(**options)
