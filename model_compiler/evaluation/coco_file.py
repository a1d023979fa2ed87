"""Boxes in COCO's format; what cannot be true is refused."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from model_compiler.evaluation.errors import MislabelledFrame
from vision.errors import ImageError
from vision.image_header import read_image_header

_ROUNDING_PIXELS = 1.0


@dataclass(frozen=True, slots=True)
class TrueBoxes:
    """What is in a frame: ``boxes_xyxy`` (M, 4) FP32 in its pixels, ``classes`` (M,) indices of labels."""

    boxes_xyxy: NDArray[np.float32]
    classes: NDArray[np.int64]


class _Picture(BaseModel):
    id: int
    file_name: str


class _Category(BaseModel):
    id: int
    name: str


class _Annotation(BaseModel):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _Document(BaseModel):
    """The keys that are read; files have more."""

    images: tuple[_Picture, ...]
    annotations: tuple[_Annotation, ...]
    categories: tuple[_Category, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class CocoFile:
    """Labels whose entries fit together; a picture is looked at when its truth is asked for.

    Attributes:
        file: Where they were read.
        folder: Where the pictures lie.
        pictures: By file name, in the file's order.
        annotations: Of each picture, by its id.
        classes: Index of the label of each category.
    """

    file: Path
    folder: Path
    pictures: Mapping[str, _Picture]
    annotations: Mapping[int, Sequence[_Annotation]]
    classes: Mapping[int, int]

    def truth_of(self, name: str) -> TrueBoxes:
        """The boxes of a picture; crowds are left out.

        Raises:
            MislabelledFrame: A box without extent or outside the picture, or the picture is missing or damaged.
        """
        picture = self.pictures[name]
        size_wh = _size_wh(self.file, self.folder, picture)
        boxes, indices = [], []
        for annotation in self.annotations.get(picture.id, ()):
            _check_box(self.file, annotation, size_wh)
            if not annotation.iscrowd:
                left, top, width, height = annotation.bbox
                boxes.append((left, top, left + width, top + height))
                indices.append(self.classes[annotation.category_id])
        return TrueBoxes(np.array(boxes, np.float32).reshape(-1, 4), np.array(indices, np.int64))


def read_coco(file: Path, folder: Path, labels: Sequence[str]) -> CocoFile:
    """Read labels and check that their entries fit together.

    Args:
        file: COCO JSON; a category is a label by its name, ids may be any.
        folder: Where the pictures lie.
        labels: Those of the model.

    Raises:
        MislabelledFrame: Not such a file, a category that is no label, an annotation of no picture or category, a
            picture that is named twice.
    """
    document = _read(file)
    classes = _classes(file, document, labels)
    pictures = _named_pictures(file, document)
    annotations: dict[int, list[_Annotation]] = defaultdict(list)
    ids = {picture.id for picture in document.images}
    for annotation in document.annotations:
        _check_references(file, annotation, classes, ids)
        annotations[annotation.image_id].append(annotation)
    return CocoFile(file, folder, pictures, annotations, classes)


def _read(file: Path) -> _Document:
    try:
        return _Document.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "content"
        raise MislabelledFrame(file, place, f"not COCO labels: {first['msg']}") from error


def _classes(file: Path, document: _Document, labels: Sequence[str]) -> dict[int, int]:
    known = {label: index for index, label in enumerate(labels)}
    used = {annotation.category_id for annotation in document.annotations}
    for category in document.categories:
        if category.id in used and category.name not in known:
            names = ", ".join(map(repr, labels))
            raise MislabelledFrame(
                file, f"category {category.id}", f"{category.name!r} is not among the labels {names}"
            )
    return {category.id: known[category.name] for category in document.categories if category.name in known}


def _named_pictures(file: Path, document: _Document) -> dict[str, _Picture]:
    pictures = {picture.file_name: picture for picture in document.images}
    ids = {picture.id for picture in document.images}
    if len(pictures) < len(document.images) or len(ids) < len(document.images):
        raise MislabelledFrame(file, "images", "an id or file_name is there twice")
    return pictures


def _size_wh(file: Path, folder: Path, picture: _Picture) -> tuple[int, int]:
    """From the picture itself: what the file says about it may be wrong."""
    path = folder / picture.file_name
    place = f"image {picture.id} ({picture.file_name})"
    if not path.resolve().is_relative_to(folder.resolve()):
        raise MislabelledFrame(file, place, f"it lies outside {folder}")
    try:
        return read_image_header(path.read_bytes()).displayed_wh
    except OSError as error:
        raise MislabelledFrame(file, place, f"there is no such picture in {folder}") from error
    except ImageError as error:
        raise MislabelledFrame(file, place, str(error)) from error


def _check_references(
    file: Path, annotation: _Annotation, classes: Mapping[int, int], pictures: Container[int]
) -> None:
    place = f"annotation {annotation.id}"
    if annotation.image_id not in pictures:
        raise MislabelledFrame(file, place, f"image_id {annotation.image_id} is not among the images")
    if annotation.category_id not in classes:
        raise MislabelledFrame(file, place, f"category_id {annotation.category_id} is not among the categories")


def _check_box(file: Path, annotation: _Annotation, size_wh: tuple[int, int]) -> None:
    place, box = f"annotation {annotation.id}", list(annotation.bbox)
    left, top, width, height = annotation.bbox
    if not (width > 0 and height > 0):
        raise MislabelledFrame(file, place, f"bbox {box} has no width or height")
    inside = min(left, top) >= -_ROUNDING_PIXELS
    inside &= left + width <= size_wh[0] + _ROUNDING_PIXELS and top + height <= size_wh[1] + _ROUNDING_PIXELS
    if not inside:
        problem = f"bbox {box} lies outside its picture of {size_wh[0]} x {size_wh[1]} pixels"
        raise MislabelledFrame(file, place, problem)
