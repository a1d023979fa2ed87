"""What the workers of a gateway have agreed on."""

from dataclasses import dataclass

from gateway.preprocessing_choice import PreprocessingChoice


@dataclass(slots=True)
class AgreedPreprocessing:
    """The path that the first worker came to; the others take it, and so do those that are started again.

    Attributes:
        choice: None until the first one has started.
    """

    choice: PreprocessingChoice | None = None
