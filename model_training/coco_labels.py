"""COCO JSON of a set of frames."""

from collections.abc import Iterable
from typing import Any

from model_training.frame_distribution import DEFECT_CLASSES, FRAME_HEIGHT, FRAME_WIDTH

Box = tuple[float, float, float, float]


def coco_document(frames: Iterable[tuple[int, str, list[tuple[int, Box]]]]) -> dict[str, Any]:
    """Build a COCO document.

    Args:
        frames: image id, file name, and (class index, x1 y1 x2 y2 in frame pixels) of each defect. Category ids are
            class indices plus one.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, file_name, labels in frames:
        images.append({"id": image_id, "file_name": file_name, "width": FRAME_WIDTH, "height": FRAME_HEIGHT})
        for class_index, (x1, y1, x2, y2) in labels:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": class_index + 1,
                    "bbox": [round(x1, 2), round(y1, 2), round(x2 - x1, 2), round(y2 - y1, 2)],
                    "area": round((x2 - x1) * (y2 - y1), 2),
                    "iscrowd": 0,
                }
            )
    return {
        "info": {"description": "Outpost: synthetic surface defects"},
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": index + 1, "name": name, "supercategory": "defect"} for index, name in enumerate(DEFECT_CLASSES)
        ],
    }
