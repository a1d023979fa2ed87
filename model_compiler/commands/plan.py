"""``outpost-compile plan``: edge, cloud or hybrid, on which hardware, for how long and at which price."""

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_compiler.errors import InvalidAnswer
from model_compiler.hardware_catalogue import HARDWARE_CLASSES, read_hardware_classes
from model_compiler.planning import quantities
from model_compiler.planning.answers import Answers
from model_compiler.planning.energy import Energy, energy
from model_compiler.planning.flags import FLAGS, answers_of
from model_compiler.planning.measured_model import read_measured_model
from model_compiler.planning.plan import Plan, make_plan
from model_compiler.planning.plan_text import plan_text
from model_compiler.planning.power_log import read_power_log

_INFERENCE = "inference"


def describe(verb: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    verb.description = (
        "Say where a model should run and why. Answers that are not given are asked for at a terminal; an empty line"
        " leaves one open. Numbers may carry units: 150ms, 0.2s, 350MB, 12Mbit/s, 8W, 10%."
    )
    for flag in FLAGS:
        verb.add_argument(flag.name, metavar=flag.metavar, help=flag.help)
    verb.add_argument(
        "--model", type=Path, metavar="PATH", help="build directory, card.json, report of a build, or ONNX file"
    )
    verb.add_argument(
        "--stage",
        action="append",
        default=[],
        metavar="NAME=MS",
        help="a stage of the edge pipeline; may be repeated; the model's own is called inference",
    )
    verb.add_argument(
        "--power-level",
        action="append",
        default=[],
        metavar="NAME=W",
        help="a further line of the battery table; may be repeated",
    )
    verb.add_argument(
        "--power-log", type=Path, metavar="CSV", help="columns seconds,watts, sampled while the model ran"
    )
    verb.add_argument("--folder", type=Path, default=HARDWARE_CLASSES, help="folder of classes (default: %(default)s)")
    verb.add_argument("--no-questions", action="store_true", help="ask nothing")
    verb.add_argument("--json", action="store_true", help="print JSON, and ask nothing")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Plan and print.

    Raises:
        CompileError: An answer cannot be, or a file is missing or wrong.
    """
    values = {flag.key: flag.read(text) for flag in FLAGS if (text := getattr(options, flag.key)) is not None}
    stages = _pairs("--stage", options.stage, quantities.milliseconds)
    levels = _pairs("--power-level", options.power_level, quantities.watts)
    values |= _from_stages(stages, values)
    if sys.stdin.isatty() and not (options.json or options.no_questions):
        values |= ask(values, options.model is not None, input)
    if not values and options.model is None:
        raise InvalidAnswer("plan", "nothing was answered: give flags, --help lists them, or run it at a terminal")
    if options.model is not None and "model_memory" in values:
        raise InvalidAnswer("--model-memory", "cannot be given with --model, which tells it")
    answers = answers_of(values)
    _refuse_no_power(levels, answers)
    run_energy = None if options.power_log is None else _energy(options.power_log, answers)
    model = None if options.model is None else read_measured_model(options.model)
    plan = make_plan(answers, read_hardware_classes(options.folder), model, list(levels.items()), stages, run_energy)
    print(json.dumps(plan_json(plan), indent=2) if options.json else plan_text(plan, answers))


def ask(values: dict[str, Any], has_model: bool, read: Callable[[str], str]) -> dict[str, Any]:
    """Ask for what is not answered; an empty line leaves it open, the end of the input leaves all the rest.

    Args:
        values: What is answered already, by the flag's key.
        has_model: Whether a model is named, which tells its own size.
        read: Prints a question and gives the line that was written.
    """
    told: dict[str, Any] = {}
    for flag in FLAGS:
        if flag.question is None or flag.key in values or (has_model and flag.name == "--model-memory"):
            continue
        if flag.only_with is not None and flag.only_with not in values | told:
            continue
        try:
            answer = _ask_until_valid(flag.question, flag.read, read)
        except EOFError:
            break
        if answer is not None:
            told[flag.key] = answer
    return told


def _ask_until_valid(question: str, parse: Callable[[str], Any], read: Callable[[str], str]) -> Any:
    prompt = f"{question}\n> "
    while text := read(prompt).strip():
        try:
            return parse(text)
        except InvalidAnswer as error:
            prompt = f"{error}\n> "
    return None


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON can hold it: infinite paybacks are null."""
    found = json.loads(json.dumps(dataclasses.asdict(plan), default=_encode))
    return {key: _without_infinities(value) for key, value in found.items()}


def _encode(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value.value


def _without_infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinities(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_infinities(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _energy(log: Path, answers: Answers) -> Energy:
    if answers.idle_watts is None:
        raise InvalidAnswer("--idle-watts", "is missing: --power-log needs it")
    if answers.frames is None:
        raise InvalidAnswer("--frames", "is missing: --power-log needs it")
    found = energy(*read_power_log(log), answers.idle_watts, answers.frames)
    if found.mean_watts <= 0.0:
        raise InvalidAnswer("--idle-watts", f"{answers.idle_watts:g} W is not below what the logged run drew")
    return found


def _refuse_no_power(levels: dict[str, float], answers: Answers) -> None:
    for name, watts in levels.items():
        if answers.battery is not None and watts + answers.other_watts == 0.0:
            problem = f"{name}: 0 W in all never empty a battery; state what the rest draws with --other-watts"
            raise InvalidAnswer("--power-level", problem)


def _pairs(flag: str, texts: list[str], parse: Callable[[str], float]) -> dict[str, float]:
    pairs: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        if not equals or not name.strip():
            raise InvalidAnswer(flag, f"{text!r} is not NAME=NUMBER")
        if name in pairs:
            raise InvalidAnswer(flag, f"{name!r} is given twice")
        try:
            pairs[name] = parse(number)
        except ValueError as error:
            raise InvalidAnswer(flag, f"{name}: {error}") from error
    return pairs


def _from_stages(stages: dict[str, float], values: dict[str, Any]) -> dict[str, float]:
    """What the stages say of the other answers: the model's own time and that of the rest."""
    if not stages:
        return {}
    for key in ("other_stages", "edge_inference"):
        if key in values:
            raise InvalidAnswer(f"--{key.replace('_', '-')}", "cannot be given with --stage, which tells it")
    if sum(stages.values()) == 0.0:
        raise InvalidAnswer("--stage", "all stages together must take more than 0 ms")
    inference_ms = stages.get(_INFERENCE, 0.0)
    told = {"other_stages": sum(stages.values()) - inference_ms}
    return told | ({"edge_inference": inference_ms} if inference_ms > 0.0 else {})
