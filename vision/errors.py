"""What can be wrong with a picture or with a model's output.

::

    VisionError
    ├── ImageError              the sender's picture; its text may be shown to the sender
    │   ├── InvalidImage        not a picture, cut short, or damaged
    │   ├── UnsupportedImage    a picture of a kind that is not decoded
    │   └── ImageTooLarge       more pixels than the limit, seen before decoding
    └── InvalidModelOutput      what came out of the model is not candidates or probabilities
"""


class VisionError(Exception):
    """Base of every error that this package raises on purpose."""


class ImageError(VisionError):
    """The picture cannot be used; sending another one helps, sending it again does not."""


class InvalidImage(ImageError):
    """The bytes are not a complete, undamaged picture.

    Attributes:
        reason: what is wrong, as a phrase.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The image cannot be decoded: {reason}. Send a complete JPEG, PNG, WebP or BMP file.")
        self.reason = reason


class UnsupportedImage(ImageError):
    """The bytes are a picture of a kind that is not decoded.

    Attributes:
        kind: what was sent, such as ``animated PNG``.
        advice: what to send instead, as a sentence.
    """

    def __init__(self, kind: str, advice: str = "Send the picture as JPEG, PNG, WebP or BMP.") -> None:
        super().__init__(f"{kind} is not supported. {advice}")
        self.kind = kind
        self.advice = advice


class ImageTooLarge(ImageError):
    """The header announces more pixels than the limit; nothing was decoded.

    Attributes:
        width: in pixels, from the header.
        height: in pixels, from the header.
        pixels: width times height.
        limit: the largest number of pixels that is decoded.
    """

    def __init__(self, width: int, height: int, limit: int) -> None:
        self.width = width
        self.height = height
        self.pixels = width * height
        self.limit = limit
        super().__init__(
            f"The image has {width} x {height} = {self.pixels / 1e6:.1f} megapixels, "
            f"the limit is {limit / 1e6:.1f}. Send a smaller picture."
        )


class InvalidModelOutput(VisionError):
    """The model's output cannot be read: not a number, or another shape or class than the card names.

    Attributes:
        reason: what is wrong, as a phrase.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The model's output is invalid: {reason}. Check the build and its card.")
        self.reason = reason
