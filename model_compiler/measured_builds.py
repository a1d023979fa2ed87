"""Builds measured side by side on this machine, and what their numbers depend on."""

from collections.abc import Mapping
from typing import Any

from model_compiler.artifact import Artifact
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.machine_profile import read_machine_profile
from model_compiler.pipeline import Workshop


def measuring_facts(
    builds: Mapping[str, Artifact], frames: LabelledFrames, settings: EvaluationSettings
) -> Mapping[str, Any]:
    """Everything that numbers of packaged artifacts, by name, depend on, as JSON values."""
    machine = read_machine_profile()
    return {
        "builds": [[name, artifact.identity] for name, artifact in builds.items()],
        "frames": frames.sha256,
        "settings": settings.model_dump(mode="json"),
        "machine": [machine.hardware_class, machine.cpu_model, machine.cpu_count],
    }


def measure_builds(
    builds: Mapping[str, Artifact], frames: LabelledFrames, settings: EvaluationSettings, workshop: Workshop
) -> Evaluation:
    """Measure packaged artifacts, by name.

    Raises:
        EvaluationError: The gateway fails, or a build does not load or does not answer.
    """
    candidates = [Candidate(name, artifact.build) for name, artifact in builds.items()]
    here = read_machine_profile().hardware_class
    return workshop.evaluate(candidates, frames, settings, hardware_class=here, report=workshop.report)
