"""Names of classes for people."""

from collections.abc import Sequence


def label_of(class_index: int, labels: Sequence[str]) -> str:
    """Name of a class; its number where the model does not tell."""
    return labels[class_index] if 0 <= class_index < len(labels) else f"class {class_index}"
