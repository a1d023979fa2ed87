"""The command, from recipe to build and with every kind of bad input."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from model_compiler.__main__ import main
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.machine_profile import read_machine_profile
from tests.model_compiler.tiny_detectors import LARGE, build, pixels, run


def build_arguments(recipe: Path, repository: Path) -> list[str]:
    cache = str(recipe.parent / "cache")
    return ["build", str(recipe), "--for", "x86-cpu", "--output", str(repository), "--cache", cache]


def test_build_then_verify(recipe_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = tmp_path / "repository"
    assert main(build_arguments(recipe_path, repository)) == 0
    assert main(["verify", str(repository / "defects-1.2.0_x86-cpu")]) == 0
    assert "sound" in capsys.readouterr().out
    assert main(build_arguments(recipe_path, repository)) == 1
    assert "raise the version" in capsys.readouterr().err


def test_graft_writes_a_model_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save_model(build(LARGE), tmp_path / "plain.onnx")
    assert main(["graft", str(tmp_path / "plain.onnx"), str(tmp_path / "grafted.onnx")]) == 0
    assert "'candidates' FP32 [?,300,6]" in capsys.readouterr().out
    grafted = onnx.load_model(tmp_path / "grafted.onnx")
    assert run(grafted, "onnxruntime", pixels(LARGE, 2)).shape == (2, 300, 6)


def test_open_picture_sizes_are_given_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = build(LARGE)
    for axis in plain.graph.input[0].type.tensor_type.shape.dim[2:]:
        axis.dim_param = "open"
    source, target = str(tmp_path / "plain.onnx"), str(tmp_path / "grafted.onnx")
    onnx.save_model(plain, source)
    assert main(["graft", source, target]) == 1
    assert "a fixed width and height" in capsys.readouterr().err
    assert main(["graft", source, target, "--width", "192", "--height", "160"]) == 0


def test_weights_beside_the_model_are_drawn_in(tmp_path: Path) -> None:
    onnx.save_model(
        build(LARGE), tmp_path / "plain.onnx", save_as_external_data=True, location="plain.data", size_threshold=0
    )
    assert main(["graft", str(tmp_path / "plain.onnx"), str(tmp_path / "grafted.onnx")]) == 0
    (tmp_path / "plain.data").unlink()
    actual = run(onnx.load_model(tmp_path / "grafted.onnx"), "onnxruntime", pixels(LARGE, 1))
    assert np.isfinite(actual).all()


Change = Callable[[Path], object]


def _replace(*pairs: tuple[str, str]) -> Change:
    def change(folder: Path) -> None:
        path = folder / "recipe.yaml"
        for old, new in pairs:
            assert old in path.read_text()
            path.write_text(path.read_text().replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "recipe.yaml").unlink(), "does not exist"),
        (lambda folder: (folder / "recipe.yaml").write_text("a: [1"), "not valid YAML"),
        (lambda folder: (folder / "recipe.yaml").write_text("- 1"), "must be a mapping"),
        (_replace(("labels:", "lables:")), "did you mean 'labels'?"),
        (_replace(("default: 0.3", "default: 3")), "thresholds.default: Input should be less than or equal to 1"),
        (_replace(("version: 1.2.0", "version: '1.2'")), "version: String should match"),
        (_replace(("backend: openvino", "backend: openvno")), "did you mean 'openvino'?"),
        (_replace(("variant: f32", "variant: int4-weights")), "does not run variant 'int4-weights'"),
        (_replace(("onnx: model.onnx", "onnx: null")), "name either onnx or trainer"),
        (
            _replace(("- stain\n", "")),
            "with C = 4 labels (yolov8), the model has 'predictions' FP32 [?,9,480]",
        ),
        (_replace(("pit: 0.2", "pitt: 0.2")), "which are not among the labels"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx does not exist"),
        (lambda folder: (folder / "model.onnx").write_bytes(b""), "is not an ONNX model: it has no graph"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"\x00not onnx"), "its bytes cannot be parsed"),
        (lambda folder: (folder / "model.onnx").write_bytes(pickle.dumps([1])), "never loaded"),
    ],
)
def test_bad_input_gets_a_clear_error_and_leaves_nothing(
    recipe_path: Path, capsys: pytest.CaptureFixture[str], change: Change, message: str
) -> None:
    change(recipe_path.parent)
    repository = recipe_path.parent / "repository"
    assert main(build_arguments(recipe_path, repository)) == 1
    assert message in capsys.readouterr().err
    assert not repository.exists()


def test_a_truncated_model_is_refused(recipe_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = recipe_path.parent / "model.onnx"
    model.write_bytes(model.read_bytes()[:-50])
    assert main(build_arguments(recipe_path, recipe_path.parent)) == 1
    assert "is not an ONNX model" in capsys.readouterr().err


def test_the_class_must_be_one_of_the_recipe(recipe_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(recipe_path)]) == 1
    assert "choose one with --for" in capsys.readouterr().err
    assert main(["build", str(recipe_path), "--for", "jetson"]) == 1
    assert "'jetson': the recipe builds for x86-cpu, arm-cpu" in capsys.readouterr().err


def test_a_model_that_takes_no_picture_says_expected_and_actual(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = build(replace(LARGE, batch=1))
    plain.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    plain.graph.node[0].op_type = "Conv"
    onnx.save_model(plain, tmp_path / "plain.onnx")
    assert main(["graft", str(tmp_path / "plain.onnx"), str(tmp_path / "grafted.onnx")]) == 1
    error = capsys.readouterr().err
    assert "expected one FP32 picture [N,3,H,W]" in error
    assert "'images' FP32 [1,4,160,192]" in error


@pytest.mark.parametrize(
    "verb", [[], ["plan"], ["classes"], ["inspect"], ["add"], ["build"], ["graft"], ["verify"], ["report"]]
)
def test_every_verb_explains_itself(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*verb, "--help"])
    assert caught.value.code == 0
    assert "outpost-compile" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["build", "add"])
def test_a_class_that_is_declared_must_be_one_that_this_machine_can_be(
    recipe_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    here = read_machine_profile().hardware_class()
    other = "arm-cpu" if find_hardware_class(here).cpu_architecture == "x86_64" else "x86-cpu"
    model = [str(recipe_path.with_name("model.onnx")), "--name", "parts"]
    arguments = [verb, *([str(recipe_path), "--for", "x86-cpu"] if verb == "build" else model)]
    assert main([*arguments, "--declared", "medical-card-cpu"]) == 1
    assert "did you mean 'medical-cart-cpu'?" in capsys.readouterr().err
    assert main([*arguments, "--declared", other]) == 1
    assert f"--declared: {other} is " in capsys.readouterr().err


def test_a_build_on_a_declared_machine(recipe_path: Path, tmp_path: Path) -> None:
    here = read_machine_profile().hardware_class()
    assert main([*build_arguments(recipe_path, tmp_path / "repository"), "--declared", here]) == 0
