import numpy as np

from model_training.augment import augment_frame


def test_the_boxes_follow_the_picture() -> None:
    image = np.full((320, 416, 3), 20, np.uint8)
    image[100:140, 200:260] = 220
    boxes, classes = np.array([[200, 100, 260, 140]], np.float32), np.array([3])
    for seed in range(30):
        moved, moved_boxes, moved_classes = augment_frame(image, boxes, classes, np.random.default_rng(seed))
        assert moved_classes.tolist() == [3]
        # The padding is grey (114); only the rectangle is brighter, whatever the light.
        middle = int(moved[:, :, 0].max()) * 0.8
        rows, columns = np.nonzero(moved[:, :, 0] > middle)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert np.abs(moved_boxes[0] - found).max() <= 2.0


def test_a_box_that_leaves_the_picture_is_dropped() -> None:
    image = np.zeros((320, 416, 3), np.uint8)
    boxes, classes = np.array([[0, 0, 10, 10], [200, 150, 240, 180]], np.float32), np.array([1, 2])
    kept = [augment_frame(image, boxes, classes, np.random.default_rng(seed))[2].tolist() for seed in range(60)]
    assert [2] in kept
    assert all(2 in classes for classes in kept)


def test_the_input_is_not_changed() -> None:
    image = np.random.default_rng(0).integers(0, 255, (320, 416, 3)).astype(np.uint8)
    before = image.copy()
    augment_frame(image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.random.default_rng(1))
    assert np.array_equal(image, before)
