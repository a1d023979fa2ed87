"""A build of another class's build, behind the real gateway with its Triton."""

from pathlib import Path

from model_compiler.__main__ import main
from model_compiler.evaluation.candidate import Candidate
from model_compiler.evaluation.evaluate import evaluate_candidates
from model_compiler.evaluation.labelled_frames import read_labelled_frames
from model_compiler.evaluation.settings import EvaluationSettings
from model_compiler.packaging.build_directory import read_build

REPOSITORY = Path(__file__).parents[3]
FRAMES = REPOSITORY / "samples" / "frames"
SHIPPED = REPOSITORY / "model_repository" / "defects-1.2.1_x86-cpu"


def test_there_and_back_again_it_loads_and_finds_the_same(tmp_path: Path) -> None:
    common = ["--frames", str(FRAMES), "--cache", str(tmp_path / "cache")]
    there, back = tmp_path / "there", tmp_path / "back"
    assert main(["build", "--from-onnx", str(SHIPPED), "--for", "arm-cpu", "--output", str(there), *common]) == 0
    assert main(["build", "--from-onnx", str(there), "--for", "x86-cpu", "--output", str(back), *common]) == 0
    build = Candidate("back", read_build(back / "defects-1.2.1_x86-cpu"))
    settings = EvaluationSettings(frames=FRAMES, rounds=1, seconds_per_round=0.1, resamples=20)
    frames = read_labelled_frames(FRAMES, build.card.labels, "detection")
    found = evaluate_candidates([build], frames, settings, hardware_class="x86-cpu", report=lambda _: None)
    assert not found.failed
    assert found.results["back"].metrics[0].value > 0.6
