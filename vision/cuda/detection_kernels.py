"""The kernels of `vision.cuda.detections`.

Notes for the host lie in ``notes``, int32: how many candidates there are, the first anchor whose score is not a number,
the first candidate with a bad box, the first with a class that does not exist.
"""

from math import isfinite, isnan

import numpy as np
from numba import cuda, uint32

CANDIDATES, YOLOV8, YOLOV5 = 0, 1, 2
COUNT, BAD_SCORE, BAD_BOX, BAD_CLASS = 0, 1, 2, 3
WORD_BITS = 32
MOST_WORDS = 64


@cuda.jit(device=True)
def _class_score(output, layout, anchor, label):
    if layout == YOLOV8:
        return output[4 + label, anchor]
    return output[anchor, 5 + label] * output[anchor, 4]


@cuda.jit
def score_anchors(output, layout, labels, scores, classes, notes):
    """The best class of each anchor, the first of equals, and its score."""
    anchor = cuda.grid(1)
    if anchor >= scores.shape[0]:
        return
    if layout == CANDIDATES:
        best, score = int(output[anchor, 5]), output[anchor, 4]
    else:
        best, score = 0, _class_score(output, layout, anchor, 0)
        for label in range(1, labels):
            other = _class_score(output, layout, anchor, label)
            if other > score or isnan(other):
                best, score = label, other
    if not isfinite(score):
        cuda.atomic.min(notes, BAD_SCORE, anchor)
    scores[anchor] = score
    classes[anchor] = best


@cuda.jit(device=True)
def _write_row(output, layout, anchor, row):
    if layout == CANDIDATES:
        for column in range(4):
            row[column] = output[anchor, column]
        return
    if layout == YOLOV8:
        center_x, center_y, width, height = output[0, anchor], output[1, anchor], output[2, anchor], output[3, anchor]
    else:
        center_x, center_y, width, height = output[anchor, 0], output[anchor, 1], output[anchor, 2], output[anchor, 3]
    half_width, half_height = width / np.float32(2), height / np.float32(2)
    row[0], row[1] = center_x - half_width, center_y - half_height
    row[2], row[3] = center_x + half_width, center_y + half_height


@cuda.jit
def collect_best(output, layout, lowest, scores, classes, rows, notes):
    """Each anchor that is sure enough finds its own place: how many are better, or equal and before it."""
    anchor = cuda.grid(1)
    if anchor >= scores.shape[0] or not scores[anchor] >= lowest:
        return
    score, place = scores[anchor], 0
    for other in range(scores.shape[0]):
        place += scores[other] > score or (scores[other] == score and other < anchor)
    if place >= rows.shape[0]:
        return
    cuda.atomic.max(notes, COUNT, place + 1)
    _write_row(output, layout, anchor, rows[place])
    rows[place, 4] = score
    rows[place, 5] = classes[anchor]
    for column in range(4):
        if not isfinite(rows[place, column]):
            cuda.atomic.min(notes, BAD_BOX, place)


@cuda.jit(device=True)
def _area(box):
    return max(box[2] - box[0], np.float32(0)) * max(box[3] - box[1], np.float32(0))


@cuda.jit(device=True)
def _repeats(box, other, iou_threshold):
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    overlap = width * height
    return width > np.float32(0) and overlap > (_area(box) + _area(other) - overlap) * iou_threshold


@cuda.jit
def compare_candidates(rows, iou_threshold, class_agnostic, overlaps, notes):
    """Which of the later candidates each one would suppress, a bit for each, a word for each thread."""
    first, word = cuda.grid(2)
    if first >= notes[COUNT] or word >= overlaps.shape[1]:
        return
    bits = uint32(0)
    for bit in range(WORD_BITS):
        second = word * WORD_BITS + bit
        later = first < second < notes[COUNT] and (class_agnostic or rows[first, 5] == rows[second, 5])
        if later and _repeats(rows[first], rows[second], iou_threshold):
            bits |= uint32(1) << uint32(bit)
    overlaps[first, word] = bits


@cuda.jit
def suppress_repeats(rows, thresholds, most, overlaps, kept, notes):
    """From the best candidate down; one thread has one word of those that are gone. ``kept[0]`` counts what stays."""
    gone = cuda.shared.array(MOST_WORDS, uint32)
    word = cuda.threadIdx.x
    gone[word] = 0
    count = 0
    cuda.syncthreads()
    for index in range(notes[COUNT]):
        label = int(rows[index, 5])
        known = 0 <= label < thresholds.shape[0]
        if not known and word == 0:
            cuda.atomic.min(notes, BAD_CLASS, index)
        is_gone = gone[index // WORD_BITS] >> uint32(index % WORD_BITS) & uint32(1)
        stays = known and not is_gone and rows[index, 4] >= thresholds[label] and count < most
        cuda.syncthreads()
        if stays:
            count += 1
            gone[word] |= overlaps[index, word]
            if word == 0:
                kept[count] = index
        cuda.syncthreads()
    if word == 0:
        kept[0] = count
