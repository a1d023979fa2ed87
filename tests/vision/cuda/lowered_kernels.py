"""Compiles every kernel as for a GPU, which need not be there, and prints what came of it as JSON.

numba types and lowers it, NVIDIA's compiler (NVVM) makes PTX of that, and its assembler machine code for each
generation. Run as a program, without the simulator: numba reads that setting when it is imported.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba.cuda.dispatcher
from cuda import pathfinder
from numba import types
from numba.cuda.compiler import compile_cuda, kernel_fixup
from numba.cuda.cudadrv import nvvm

from vision.cuda import detection_kernels, letterbox_kernels

CAPABILITY = (7, 5)
GENERATIONS = ("sm_75", "sm_87", "sm_90", "sm_120")  # the oldest that CUDA 12 and 13 know, Orin, Hopper, RTX 50
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


def lowered(kernel: Any, signature: tuple[types.Type, ...]) -> Any:
    """What numba makes of it: a library of modules for NVVM, one of which is to be launched."""
    made = compile_cuda(kernel.py_func, types.void, signature, cc=CAPABILITY)
    kernel_fixup(made.library.get_function(made.fndesc.llvm_func_name), debug=False)
    return made.library


def ptx_of(library: Any) -> str:
    """What NVVM makes of it, as in a program that has a GPU."""
    unit = nvvm.CompilationUnit({"arch": "compute_{}{}".format(*CAPABILITY)})
    for module in library.llvm_strs:
        unit.add_module(nvvm.llvm_replace(module).encode())
    unit.verify()
    unit.lazy_add_module(Path(pathfinder.find_bitcode_lib("device")).read_bytes())
    ptx: str = unit.compile().decode()
    return ptx.strip("\0\n")


def assembled(ptx: str, generation: str) -> dict[str, int]:
    """Registers of a thread, and bytes that do not fit into them."""
    assembler = pathfinder.find_nvidia_binary_utility("ptxas")
    assert assembler is not None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx)
        command = [assembler, "--verbose", f"--gpu-name={generation}", "--output-file=/dev/null", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    found = re.search(r"(\d+) bytes spill stores.*Used (\d+) registers", said, re.DOTALL)
    assert found is not None, said
    return {"spilled_bytes": int(found[1]), "registers": int(found[2])}


def main() -> None:
    """Raises numba's or NVVM's error where a kernel does not compile."""
    device = SimpleNamespace(compute_capability=CAPABILITY)
    numba.cuda.dispatcher.get_current_device = lambda: device  # asked for functions that a kernel calls
    report = {}
    for name, kernel, signature in kernels():
        library = lowered(kernel, signature)
        lines = library.get_llvm_str().splitlines()
        ptx = ptx_of(library)
        report[name] = {
            "wide_floats": sum("double" in line and _CONSTANT not in line for line in lines) + ptx.count(".f64"),
            "assembled": {generation: assembled(ptx, generation) for generation in GENERATIONS},
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
