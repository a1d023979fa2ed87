"""The progress bar counts what a build really reports."""

from model_compiler.expected_steps import expected_steps
from model_compiler.recipe_file import read_recipe
from tests.model_compiler.test_release import FLOAT, PRUNED, TRAINER, Bench, FakeTrainer, bench

__all__ = ["bench"]


def test_a_build_takes_as_many_steps_as_expected(bench: Bench) -> None:
    (bench.folder / "start.bin").write_bytes(b"net ")
    (bench.folder / "large.bin").write_bytes(b"teacher")
    recipe = bench.recipe([*FLOAT, *PRUNED], onnx=None, trainer=TRAINER)
    bench.build(recipe, trainer=lambda _: FakeTrainer())
    variants = read_recipe(recipe).targets["x86-cpu"].variants
    assert len(bench.said) == expected_steps(read_recipe(recipe), variants)


def test_measuring_and_comparisons_take_steps_too(bench: Bench) -> None:
    measured = {"frames": "heldout", "rounds": 3}
    plain = read_recipe(bench.recipe(evaluation=measured))
    variants = plain.targets["x86-cpu"].variants
    count = expected_steps(plain, variants)
    # inspect, five stages, then loading, answers, three rounds, accuracy, and calibration
    assert count == 1 + 5 + 1 + 1 + 3 + 1 + 1
    compared = plain.model_copy(update={"compare_plain_graph": True, "compare_range_methods": True})
    assert expected_steps(compared, variants) == count + (5 + 2 + 2 * 4) + (3 + 4 * 5 + 2 + 4 * 2)
