"""``outpost-compile engines``: the TensorRT plans of a device's builds, made on its own GPU."""

import argparse
from pathlib import Path

from contracts.machine_class import detect_class
from model_compiler.engine_cache.device_builder import DeviceBuilder
from model_compiler.engine_cache.engine_store import EngineStore
from model_compiler.engine_cache.errors import EnginesIncomplete
from model_compiler.engine_cache.watch import watch
from model_compiler.engines.catalogue import tensorrt_host
from model_compiler.engines.errors import EngineUnavailable
from model_compiler.engines.tensorrt_host import TensorRtHost
from model_compiler.machine_profile import read_machine_profile

LOOK_SECONDS = 5.0
_ADVICE = (
    "Plans are made on the GPU that runs them, with the TensorRT that runs them: start this where Triton runs, in an"
    " image that has both. Until then the gateway answers with the previous or fallback build of each model"
)


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    verb.description = (
        "Make the TensorRT plan of every build in a gateway's state folder that this machine may run, unless it is"
        " there. A plan for another GPU, TensorRT, CUDA or model is made again; one that no build needs is removed. The"
        " gateway loads each as soon as it is ready."
    )
    verb.add_argument("--state-dir", type=Path, required=True, help="the gateway's state folder")
    verb.add_argument(
        "--watch", action="store_true", help=f"look again every {LOOK_SECONDS:g} seconds, until it is told to end"
    )
    verb.add_argument(
        "--declared", metavar="CLASS", help="the hardware class of this machine, as the gateway's --hardware-class"
    )
    verb.add_argument(
        "--accepted-classes", default="", metavar="CLASSES", help="as the gateway's: further classes, with commas"
    )
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Make the plans that are missing.

    Raises:
        EngineUnavailable: There is no GPU or no TensorRT.
        EnginesInUse: Another process makes plans there.
        EnginesIncomplete: Some builds have no plan; each reason is listed. Not with ``--watch``.
    """
    make_engines(options, tensorrt_host())


def make_engines(options: argparse.Namespace, host: TensorRtHost | str) -> None:
    """See `run`.

    Args:
        options: Of the verb.
        host: TensorRT and a GPU, or a sentence that says what is missing.
    """
    if isinstance(host, str):
        raise EngineUnavailable("tensorrt", host, _ADVICE)
    machine = detect_class(read_machine_profile().facts, options.declared)
    accepted = {name for name in options.accepted_classes.split(",") if name}
    classes = ", ".join(dict.fromkeys((machine.name, *machine.accepts_builds_of, *sorted(accepted))))
    _tell(f"this machine is {machine.name} ({machine.reason}); plans are made of TensorRT builds for {classes}")
    store = EngineStore(options.state_dir)
    with store.opened():
        builder = DeviceBuilder(
            host,
            store,
            options.state_dir / "repository",
            lambda hardware_class: machine.accepts(hardware_class) or hardware_class in accepted,
            _tell,
        )
        if options.watch:
            watch(builder, _tell, LOOK_SECONDS)
            return
        statuses = builder.look()
    failed = {status.build: status.reason for status in statuses if status.state != "ready"}
    if failed:
        raise EnginesIncomplete(failed)
    print(f"{len(statuses)} plans are ready for {machine.name}")


def _tell(line: str) -> None:
    print(line, flush=True)
