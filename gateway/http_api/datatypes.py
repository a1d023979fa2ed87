"""Datatypes of the protocol (Open Inference Protocol, "Tensor Data Types", and Triton's BF16)."""

import numpy as np

NUMPY_TYPES: dict[str, np.dtype[np.generic]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""Those that JSON can carry as numbers."""

ITEM_BYTES: dict[str, int] = {name: dtype.itemsize for name, dtype in NUMPY_TYPES.items()} | {"FP16": 2, "BF16": 2}
"""Size of an element of every datatype but BYTES, whose elements differ."""

DATATYPES = (*ITEM_BYTES, "BYTES")
