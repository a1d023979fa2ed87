"""Builds measured side by side on this machine, and what their numbers depend on."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from contracts.build_performance import BuildPerformance
from model_compiler.artifact import Artifact
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.evaluation import Evaluation
from model_compiler.evaluation.labelled_frames import LabelledFrames
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.evaluation.variant_result import VariantResult
from model_compiler.machine_profile import read_machine_profile
from model_compiler.pipeline import Workshop


def measuring_facts(
    builds: Mapping[str, Artifact], frames: LabelledFrames, settings: EvaluationSettings, workshop: Workshop
) -> Mapping[str, Any]:
    """Everything that numbers of packaged artifacts, by name, depend on, as JSON values."""
    machine = read_machine_profile()
    return {
        "builds": [[name, artifact.identity] for name, artifact in builds.items()],
        "frames": frames.sha256,
        "settings": settings.model_dump(mode="json"),
        "machine": [workshop.hardware_class, machine.cpu_model, machine.cpu_count],
    }


def measure_builds(
    builds: Mapping[str, Artifact], frames: LabelledFrames, settings: EvaluationSettings, workshop: Workshop
) -> Evaluation:
    """Measure packaged artifacts, by name; what the gateway cannot serve is left out, which its result says.

    Raises:
        EvaluationError: The gateway fails.
    """
    whole = [Candidate(name, artifact.build) for name, artifact in builds.items()]
    candidates = [candidate for candidate in whole if not candidate.not_measurable]
    left_out = {each.name: each.not_measurable for each in whole if each.not_measurable}
    unmeasured = {name: _unmeasured(name, builds[name], why) for name, why in left_out.items()}
    if not candidates:
        return Evaluation(unmeasured, {}, frames, settings.resamples, settings.seed)
    here = workshop.hardware_class
    found = workshop.evaluate(candidates, frames, settings, hardware_class=here, report=workshop.report)
    return dataclasses.replace(found, results={**found.results, **unmeasured})


def unmeasured_results(builds: Mapping[str, Artifact], why: str) -> dict[str, VariantResult]:
    """What is known of packaged artifacts, by name, without measuring them: their size.

    Args:
        builds: Those.
        why: Nothing was measured.
    """
    return {name: _unmeasured(name, artifact, why) for name, artifact in builds.items()}


def _unmeasured(name: str, artifact: Artifact, why: str) -> VariantResult:
    candidate, target = Candidate(name, artifact.build), artifact.facts.hardware_class
    return VariantResult(
        name=name,
        backend=candidate.backend,
        size_bytes=candidate.size_bytes,
        parameter_count=artifact.facts.parameter_count,
        not_measured=why,
        performance=BuildPerformance(hardware_class=target, status="not_measured", runtime=candidate.backend),
    )
