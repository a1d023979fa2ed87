"""Where frames are prepared, and what is said of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cuda.device_probe import is_simulated, why_no_device
from gateway.preprocessing_choice import choose_preprocessing
from gateway.start_errors import PreprocessingImpossible


def never() -> str:
    raise AssertionError("nobody asks for the GPU")


def test_the_cpu_is_taken_without_a_look_at_the_gpu() -> None:
    choice = choose_preprocessing("cpu", never, simulated=False)
    assert (choice.path, choice.reason) == ("cpu", "the setting preprocess says so")


def test_auto_takes_a_gpu_that_can_be_used_and_else_says_what_is_missing() -> None:
    found = choose_preprocessing("auto", lambda: "", simulated=False)
    assert found.path == "cuda"
    assert "the first worker measures at its start" in found.reason
    without = choose_preprocessing("auto", lambda: "there is no driver", simulated=False)
    assert (without.path, without.reason) == ("cpu", "no GPU is used: there is no driver")


def test_auto_does_not_take_the_simulator_for_a_gpu() -> None:
    choice = choose_preprocessing("auto", never, simulated=True)
    assert choice.path == "cpu"
    assert "simulator" in choice.reason
    assert choose_preprocessing("cuda", lambda: "", simulated=True).path == "cuda"


def test_a_gpu_that_is_asked_for_and_missing_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(PreprocessingImpossible, match=r"there is no driver; mend that, .*--preprocess cpu"):
        choose_preprocessing("cuda", lambda: "there is no driver", simulated=False)


def test_a_machine_without_a_driver_is_told_by_its_files(tmp_path: Path) -> None:
    assert why_no_device(0, dev=tmp_path).startswith(f"there is no NVIDIA driver: {tmp_path} has none of nvidiactl")


def test_a_library_that_breaks_while_it_is_asked_is_a_reason_and_no_traceback() -> None:
    program = (
        "import sys, types\n"
        "broken = types.ModuleType('gateway.cuda.device')\n"
        "def device_count(): raise AttributeError('the binding has no cuInit')\n"
        "broken.device_count = device_count\n"
        "sys.modules['gateway.cuda.device'] = broken\n"
        "from gateway.cuda.device_probe import why_no_device\n"
        "print(why_no_device(0, simulated=True))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "the binding has no cuInit\n"


@pytest.mark.parametrize(("value", "simulated"), [("1", True), ("0", False), ("", False)])
def test_the_simulator_is_told_by_numbas_variable(value: str, simulated: bool) -> None:
    assert is_simulated({"NUMBA_ENABLE_CUDASIM": value}) is simulated
    assert not is_simulated({})
