"""How much of a GPU's memory one stream keeps for pixels. Pure."""

from gateway.cuda.device_preparer import BATCH_BYTES

_LARGE_FRAME_BYTES = 3840 * 2160 * 3
_SHARE = 16
"""Of what is free; each stream may take it, and other workers and Triton need theirs."""


def batch_bytes(batch: int, streams: int, free_bytes: int) -> int:
    """Bytes of pixels that one launch may read: a whole batch of 4K frames where the GPU has the memory.

    Args:
        batch: Most frames of one launch.
        streams: Batches in work at one time.
        free_bytes: Of the GPU's memory; 0 where that is not known.
    """
    return max(BATCH_BYTES, min(batch * _LARGE_FRAME_BYTES, free_bytes // (_SHARE * streams)))
