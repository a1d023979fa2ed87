"""What a student lost and saved against its teacher: goals that take the reports of both."""

from collections.abc import Iterator, Sequence

from model_compiler.reporting.build_report import BuildReport
from model_compiler.reporting.goal import Goal

SIZE_RATIO = 7.0
DROP_POINTS = 3.0


def family_goals(reports: Sequence[BuildReport]) -> Iterator[Goal]:
    """At least 7 times fewer parameters than the teacher, within 3 points of it, for each student with its teacher.

    Both are taken in FP32, as their baselines, on the same frames.
    """
    for student in reports:
        teacher = _teacher_of(student, reports)
        if teacher is not None:
            yield from _goals(student, teacher)


def _teacher_of(student: BuildReport, reports: Sequence[BuildReport]) -> BuildReport | None:
    same = (student.teacher, student.hardware_class, student.dataset_sha256)
    found = [other for other in reports if (other.model, other.hardware_class, other.dataset_sha256) == same]
    return found[-1] if found and student.dataset_sha256 is not None else None


def _goals(student: BuildReport, teacher: BuildReport) -> Iterator[Goal]:
    small, large = student.variant(student.baseline), teacher.variant(teacher.baseline)
    if small is None or large is None:
        return
    if small.parameter_count and large.parameter_count:
        yield Goal(
            name=f"parameters of {teacher.model} over those of {student.model}",
            target=SIZE_RATIO,
            value=large.parameter_count / small.parameter_count,
            at_least=True,
            note=f"{large.parameter_count:,} and {small.parameter_count:,}",
        )
    if small.accuracy is not None and large.accuracy is not None:
        yield Goal(
            name=f"{small.accuracy.name} of {student.model} behind {teacher.model}",
            target=DROP_POINTS,
            value=100 * (large.accuracy.value - small.accuracy.value),
            unit="points",
            at_least=False,
            note=f"{small.accuracy.value:.3f} and {large.accuracy.value:.3f} on {student.frames} frames, FP32",
        )
