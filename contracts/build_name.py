"""The name of a build, which is also its Triton model name."""

import re
from dataclasses import dataclass

_PATTERN = re.compile(
    r"(?P<model>[a-z0-9][a-z0-9-]*)-(?P<version>(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))_(?P<hardware_class>[a-z0-9][a-z0-9-]*)"
)


class InvalidBuildName(ValueError):
    """A text is not ``<model>-<semver>_<class>``."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"build name {text!r} is not <model>-<major.minor.patch>_<hardware class>, model and class of [a-z0-9-]:"
            " for example defects-1.2.0_x86-cpu"
        )


@dataclass(frozen=True, slots=True)
class BuildName:
    """One release of a model for one hardware class, e.g. ``defects-1.2.0_x86-cpu``."""

    model: str
    version: str
    hardware_class: str

    @classmethod
    def parse(cls, text: str) -> "BuildName":
        """Read a build name.

        Raises:
            InvalidBuildName: The text has another form.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise InvalidBuildName(text)
        return cls(match["model"], match["version"], match["hardware_class"])

    def __str__(self) -> str:
        return f"{self.model}-{self.version}_{self.hardware_class}"
