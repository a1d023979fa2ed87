import numpy as np

from model_training.coco_labels import coco_document
from model_training.labels import box_of_contour


def test_box_of_contour_without_a_camera() -> None:
    contour = np.array([[100, 50], [160, 50], [130, 120]], np.float32)
    assert box_of_contour(contour, np.eye(3), frame_wh=(1280, 960), min_side_px=25.0) == (100.0, 50.0, 160.0, 120.0)


def test_box_of_contour_moves_with_the_camera() -> None:
    shift = np.array([[1.0, 0, 10], [0, 1, -20], [0, 0, 1]])
    contour = np.array([[100, 50], [160, 120]], np.float32)
    assert box_of_contour(contour, shift, frame_wh=(1280, 960), min_side_px=25.0) == (110.0, 30.0, 170.0, 100.0)


def test_a_thin_box_is_widened_around_its_centre() -> None:
    contour = np.array([[100, 50], [200, 54]], np.float32)
    assert box_of_contour(contour, np.eye(3), frame_wh=(1280, 960), min_side_px=24.0) == (100.0, 40.0, 200.0, 64.0)


def test_a_box_is_clipped_to_the_frame() -> None:
    contour = np.array([[-30, 900], [40, 990]], np.float32)
    assert box_of_contour(contour, np.eye(3), frame_wh=(1280, 960), min_side_px=24.0) == (0.0, 900.0, 40.0, 960.0)


def test_coco_document_counts_categories_from_one() -> None:
    document = coco_document([(7, "a.jpg", [(5, (10.0, 20.0, 40.0, 80.0))]), (8, "b.jpg", [])])
    assert [image["id"] for image in document["images"]] == [7, 8]
    assert document["annotations"] == [
        {"id": 1, "image_id": 7, "category_id": 6, "bbox": [10.0, 20.0, 30.0, 60.0], "area": 1800.0, "iscrowd": 0}
    ]
    assert document["categories"][5] == {"id": 6, "name": "inclusion", "supercategory": "defect"}
