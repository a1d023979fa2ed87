"""Makes machine code of every kernel as a gateway does at its start, and prints what came out; needs no GPU.

Run as a program inside an image for GPUs. Argument: a compute capability, such as 8.7, or 9.0a for code that only GPUs
of that capability run.
"""

import sys
from types import SimpleNamespace

import numba.cuda.dispatcher
from cuda.core import Linker, LinkerOptions, ObjectCode
from numba import types

from tests.vision.cuda.lowered_kernels import kernels

_MACHINE_CODE = b"\x7fELF"


def main(capability: str) -> None:
    """Raises the compiler's or the linker's error."""
    major, minor = (int(number) for number in capability.rstrip("a").split("."))
    addition = "a" if capability.endswith("a") else ""
    device = SimpleNamespace(compute_capability=(major, minor))
    numba.cuda.dispatcher.get_current_device = lambda: device  # asked for functions that a kernel calls
    options = LinkerOptions(arch=f"sm_{major}{minor}{addition}")
    for name, kernel, signature in kernels():
        wanted = types.void(*signature)
        ptx, _ = numba.cuda.compile(kernel.py_func, wanted, device=False, abi="numba", cc=(major, minor, addition))
        assert bytes(Linker(ObjectCode.from_ptx(ptx.encode()), options=options).link("cubin").code)[:4] == _MACHINE_CODE
        print(name, ptx.count(".visible .entry"))


if __name__ == "__main__":
    main(sys.argv[1])
