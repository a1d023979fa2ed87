"""What the variants of a model cost without a gateway: one session, one thread, frames already prepared.

`python -m benchmarks.models_alone`; end to end, decoding and everything else of a request is added to each.
"""

import argparse
import datetime as dt
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from model_compiler.artifact import Artifact
from model_compiler.engines.catalogue import engine_for
from model_compiler.engines.engine import Session
from model_compiler.pipeline import Workshop, make_variants, source_artifacts
from model_compiler.recipe_file import read_recipe
from model_compiler.stage_cache import StageCache
from model_compiler.variant import BuildVariant

RECIPES = Path(__file__).parents[1] / "model_compiler" / "recipes"
RESULTS = Path(__file__).parent / "results"
HARDWARE_CLASS = "x86-cpu"
BASELINE = "f32-onnxruntime"
GOAL = 2.5
_WARM_UP_SECONDS = 0.3


def main() -> None:
    """Measure each model's variants in alternating rounds; write `models_alone.json`, `.md` and the report's goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["parts", "defects", "defects-cloud"])
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each variant in a round (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("var/compiler"), help="default: %(default)s")
    options = parser.parse_args()
    measured = {
        model: measure(open_variants(model, options.cache), rounds=options.rounds, seconds=options.seconds)
        for model in options.models
    }
    machine = describe_machine(dt.datetime.now(dt.UTC))
    command = f"python -m benchmarks.models_alone --rounds {options.rounds} --seconds {options.seconds:g}"
    facts = {"command": command, "machine": machine, "milliseconds": measured}
    (RESULTS / "models_alone.json").write_text(json.dumps(facts, indent=1) + "\n")
    (RESULTS / "models_alone.md").write_text(table(measured, command, machine))
    goals = [goal(model, rounds) for model, rounds in measured.items()]
    (RESULTS / "models" / "models_alone.goals.json").write_text(json.dumps(goals, indent=1) + "\n")


def open_variants(model: str, cache: Path) -> dict[str, Callable[[], object]]:
    """A call for each variant of a recipe that infers one frame; stages that are known are not repeated."""
    recipe = read_recipe(RECIPES / f"{model}.yaml")
    variants = recipe.targets[HARDWARE_CLASS].variants
    workshop = Workshop(StageCache(cache), print)
    made, _ = make_variants(source_artifacts(recipe, HARDWARE_CLASS, variants, workshop), variants, recipe, workshop)
    return {str(variant): _inference(variant, artifact) for variant, artifact in made.items()}


def _inference(variant: BuildVariant, artifact: Artifact) -> Callable[[], object]:
    session: Session = engine_for(variant.backend).open(artifact.model, variant.precision, 1)
    spec = artifact.facts.input
    shape = (1, spec.height, spec.width, 3) if spec.layout == "NHWC" else (1, 3, spec.height, spec.width)
    frame = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return lambda: session.run({spec.name: frame})


def measure(
    inferences: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Milliseconds of an inference, a median for each round; each round begins with another variant."""
    names = list(inferences)
    for infer in inferences.values():
        _times(infer, _WARM_UP_SECONDS, clock)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(1e3 * statistics.median(_times(inferences[name], seconds, clock)))
    return found


def _times(infer: Callable[[], object], seconds: float, clock: Callable[[], float]) -> list[float]:
    times, end = list[float](), clock() + seconds
    while not times or clock() < end:
        began = clock()
        infer()
        times.append(clock() - began)
    return times


def speedups(rounds: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """How many times as fast as FP32 in ONNX Runtime each variant is, by round."""
    return {
        name: [base / own for base, own in zip(rounds[BASELINE], times, strict=True)] for name, times in rounds.items()
    }


def goal(model: str, rounds: Mapping[str, list[float]]) -> dict[str, object]:
    """The line of `outpost-compile report`: the fastest variant against FP32 in ONNX Runtime."""
    ratios = speedups(rounds)
    best = max(ratios, key=lambda name: statistics.median(ratios[name]))
    return {
        "name": f"{model} alone, one thread: fastest variant over FP32 in ONNX Runtime",
        "target": GOAL,
        "value": statistics.median(ratios[best]),
        "unit": "",
        "at_least": True,
        "note": f"{best}, rounds from {min(ratios[best]):.2f} to {max(ratios[best]):.2f}; "
        "benchmarks/results/models_alone.md",
    }


def table(measured: Mapping[str, Mapping[str, list[float]]], command: str, machine: Mapping[str, str]) -> str:
    """Everything as Markdown."""
    setting = (
        "One session with one thread, one prepared frame at a time, grafted graphs; medians over alternating rounds,"
        f" least and most in brackets. {machine['CPU']}, {machine['date']}."
    )
    lines = ["# The models without a gateway", "", f"`{command}`", "", setting]
    for model, rounds in measured.items():
        ratios = speedups(rounds)
        lines += ["", f"## {model}", "", "| variant | ms | times FP32 in ONNX Runtime |", "|---|---|---|"]
        for name, times in rounds.items():
            ratio = f"{statistics.median(ratios[name]):.2f} [{min(ratios[name]):.2f}, {max(ratios[name]):.2f}]"
            lines.append(f"| {name} | {statistics.median(times):.2f} [{min(times):.2f}, {max(times):.2f}] | {ratio} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
