"""Types and lowers every kernel as for a GPU, which need not be there; prints its operations on 64-bit floats.

From there on it is NVIDIA's compiler, which comes with the extra ``gpu`` and is not asked. Run as a program, without
the simulator: numba reads that setting when it is imported.
"""

from types import SimpleNamespace
from typing import Any

import numba.cuda.dispatcher
from numba import types
from numba.cuda.compiler import compile_cuda

from vision.cuda import detection_kernels, letterbox_kernels

CAPABILITY = (8, 7)
_CONSTANT = "fptrunc double 0x"  # of a literal, which the compiler turns into a float


def flat(element: types.Type) -> types.Array:
    return types.Array(element, 1, "C")


def table(element: types.Type) -> types.Array:
    return types.Array(element, 2, "C")


def kernels() -> list[tuple[str, Any, tuple[types.Type, ...]]]:
    whole, real, notes = types.int64, types.float32, flat(types.int32)
    scores, rows, words = flat(types.float32), table(types.float32), table(types.uint32)
    placing = letterbox_kernels.place
    return [
        ("place uint8", placing, (flat(types.uint8), table(whole), rows, flat(types.uint8))),
        ("place float32", placing, (flat(types.uint8), table(whole), rows, scores)),
        ("score_anchors", detection_kernels.score_anchors, (rows, whole, whole, scores, notes, notes)),
        ("collect_best", detection_kernels.collect_best, (rows, whole, real, scores, notes, rows, notes)),
        ("compare_candidates", detection_kernels.compare_candidates, (rows, real, types.boolean, words, notes)),
        ("suppress_repeats", detection_kernels.suppress_repeats, (rows, scores, whole, words, notes, notes)),
    ]


def main() -> None:
    """Raises numba's error where a kernel does not compile."""
    device = SimpleNamespace(compute_capability=CAPABILITY)
    numba.cuda.dispatcher.get_current_device = lambda: device  # asked for functions that a kernel calls
    for name, kernel, signature in kernels():
        compiled = compile_cuda(kernel.py_func, types.void, signature, cc=CAPABILITY)
        lines = compiled.library.get_llvm_str().splitlines()
        print(name, sum("double" in line and _CONSTANT not in line for line in lines))


if __name__ == "__main__":
    main()
