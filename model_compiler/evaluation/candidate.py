"""A build that is to be measured."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.build_manifest import CARD_FILE, CONFIG_FILE
from contracts.model_card import ModelCard

NO_TENSORRT = "the gateway's embedded Triton does not run TensorRT"
_BACKEND = re.compile(r'^backend:\s*"([a-z]+)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A build under the name that its results carry.

    Attributes:
        name: For example ``int8-openvino``; it becomes the alias, so lower case, digits and hyphens.
        files: Content of the build directory by relative path. Candidates that are measured together need different
            build names.
    """

    name: str
    files: Mapping[str, bytes]

    @property
    def card(self) -> ModelCard:
        """Its card.

        Raises:
            ValueError: It is not valid.
        """
        return ModelCard.model_validate_json(self.files[CARD_FILE])

    @property
    def backend(self) -> str:
        """What runs it, by its configuration."""
        found = _BACKEND.search(self.files[CONFIG_FILE].decode())
        return found.group(1) if found else "unknown"

    @property
    def not_measurable(self) -> str:
        """Why it cannot be served for measuring; empty where it can."""
        return NO_TENSORRT if self.backend == "tensorrt" else ""

    @property
    def size_bytes(self) -> int:
        """Of the model's own files, without card and configuration."""
        return sum(len(data) for path, data in self.files.items() if path.startswith("1/"))
