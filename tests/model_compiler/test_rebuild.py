"""From a build to the build of another class: what it becomes, what its card keeps, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from contracts.build_performance import BuildPerformance
from contracts.model_card import InputSpec, Metric, ModelCard, OutputSpec
from contracts.quantization import Quantization, Scheme
from model_compiler.artifact import Artifact, ArtifactFacts
from model_compiler.errors import NoVariantLeft, VariantNotRunnable
from model_compiler.hardware_catalogue import find_hardware_class
from model_compiler.packaged_source import PackagedSource, read_packaged_source
from model_compiler.packaging.build_directory import write_build
from model_compiler.pipeline import Workshop
from model_compiler.rebuild import Rebuild, rebuild
from model_compiler.recipe import Recipe, Target
from model_compiler.stage_cache import StageCache
from model_compiler.stages import graft, package
from model_compiler.stages.engine import NO_PLAN
from model_compiler.variant import Backend, BuildVariant
from tests.model_compiler import small_graphs, tiny_detectors
from tests.model_compiler.remade_builds import rehash
from tests.model_compiler.tensorrt_here import NEEDS_NO_TENSORRT

METRIC = Metric(name="mAP50", value=0.9, dataset="heldout", n=200)
SHIPPED = Path(__file__).parents[2] / "model_repository" / "parts-1.0.1_x86-cpu" / "card.json"
CONFIDENCE = ModelCard.model_validate_json(SHIPPED.read_bytes()).confidence
FLOAT = BuildVariant(variant="f32", backend="onnxruntime")
DETECTOR = tiny_detectors.build(tiny_detectors.LARGE)


class Bench:
    """Makes source builds in a folder, and other classes' builds of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []

    def source(
        self,
        variant: BuildVariant = FLOAT,
        model: onnx.ModelProto = DETECTOR,
        *,
        hardware_class: str = "arm-cpu",
        grafted: bool = True,
        **facts: Any,
    ) -> PackagedSource:
        """A build of a plain detector, or of a plain classifier of four classes."""
        detects = model.graph.output[0].name == "predictions"
        picture = model.graph.input[0]
        height, width = (axis.dim_value for axis in picture.type.tensor_type.shape.dim[2:])
        spec = InputSpec(name=picture.name, width=width, height=height, datatype="FP32", layout="NCHW")
        output = OutputSpec(name=model.graph.output[0].name, decoder="yolov8" if detects else "logits")
        known = ArtifactFacts(
            hardware_class=hardware_class,
            input=spec,
            output=output,
            reference_input=spec,
            reference_output=output,
            variant=variant,
            metrics=(METRIC,),
            confidence=CONFIDENCE,
            performance=(BuildPerformance(hardware_class=hardware_class, status="measured", images_per_second=50.0),),
            **facts,
        )
        recipe = Recipe(
            model="parts",
            version="1.0.0",
            task="detection" if detects else "classification",
            onnx=self.folder,
            labels=("a", "b", "c", "d", "e")[: 5 if detects else 4],
            grafted=grafted,
            targets={hardware_class: Target()},
        )
        data = model.SerializeToString(deterministic=True)
        made = package.run(graft.run(Artifact(data, data, known), recipe), recipe)
        return read_packaged_source(write_build(recipe.build_name(hardware_class), made.build, self.folder / "sources"))

    def rebuilt(self, source: PackagedSource, hardware_class: str) -> Rebuild:
        workshop = Workshop(StageCache(self.folder / "cache"), self.said.append)
        return rebuild(source, find_hardware_class(hardware_class), workshop)

    def again(self, made: Rebuild) -> PackagedSource:
        return read_packaged_source(write_build(made.name, made.artifact.build, self.folder / "again"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def card(made: Rebuild) -> ModelCard:
    return ModelCard.model_validate_json(made.artifact.build["card.json"])


def int8(scheme: Scheme, backend: Backend = "onnxruntime") -> tuple[BuildVariant, onnx.ModelProto, dict[str, Any]]:
    """A variant, a plain classifier quantised so, and what is known of it."""
    samples = np.random.default_rng(3).standard_normal((4, 3, 8, 8)).astype(np.float32)
    model = small_graphs.quantized(small_graphs.classifier(), samples, scheme=scheme)
    variant = BuildVariant(variant="int8", backend=backend)
    facts = Quantization(
        scheme=scheme, range_method="min-max", calibration_frames=4, calibration_sha256="0" * 64, quantized_nodes=2
    )
    return variant, model, {"quantization": facts}


def test_a_float_build_becomes_the_first_float_variant_of_a_class(bench: Bench) -> None:
    source = bench.source()
    assert str(bench.rebuilt(source, "intel-lowpower-detector").variant) == "f32-openvino"
    assert str(bench.rebuilt(source, "jetson-orin-nx").variant) == "f16-tensorrt"


def test_a_variant_that_deviates_gives_way_to_the_next(bench: Bench) -> None:
    """Weights that FP16 has no numbers for."""
    model = onnx.ModelProto()
    model.CopyFrom(DETECTOR)
    for weight in model.graph.initializer:
        factor = {"stem": 1e-6, "stem_bias": 1e-6, "head": 1e6}.get(weight.name, 1.0)
        if factor != 1.0:
            values = numpy_helper.to_array(weight) * np.float32(factor)
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    made = bench.rebuilt(bench.source(model=model), "x86-nvidia-gpu")
    assert str(made.variant) == "f32-tensorrt"
    assert made.reason.endswith("and that was not refused")
    assert [line for line in bench.said if line.startswith("f16-tensorrt: refused: ")]


def test_its_own_class_gets_the_same_again(bench: Bench) -> None:
    first = bench.again(bench.rebuilt(bench.source(), "arm-cpu"))
    second = bench.rebuilt(first, "arm-cpu")
    assert (second.variant, second.reason) == (first.variant, "as parts-1.0.0_arm-cpu is run")
    assert second.artifact.model == first.model
    assert card(second) == first.card


def test_another_graph_for_its_own_class_claims_no_speed(bench: Bench) -> None:
    """Packaged by hand, so that ONNX Runtime still finds something to leave out."""
    graph = onnx.ModelProto()
    graph.CopyFrom(DETECTOR)
    graph.graph.node.insert(0, onnx.helper.make_node("Identity", ["images"], ["same"]))
    graph.graph.node[1].input[0] = "same"
    source = bench.source(model=graph, grafted=False)
    made = bench.rebuilt(source, "arm-cpu")
    assert made.artifact.model != source.model
    kept = card(made)
    assert [each.status for each in kept.performance] == ["not_measured"]
    assert kept.metrics == (METRIC,)
    assert any(caveat.startswith("nothing was measured with this build") for caveat in kept.caveats)


def test_integers_stay_what_they_are_where_the_class_runs_them(bench: Bench) -> None:
    variant, model, facts = int8("u8s8")
    source = bench.source(variant, model, hardware_class="x86-cpu", **facts)
    made = bench.rebuilt(source, "arm-cpu")
    kept = card(made)
    assert (made.variant, kept.variant) == (variant, "int8")
    assert kept.quantization == source.card.quantization
    assert kept.performance[0].status == "not_measured"


def test_integers_that_tensorrt_takes_become_its_graph_and_lose_what_other_kernels_showed(bench: Bench) -> None:
    variant, model, facts = int8("s8s8")
    source = bench.source(variant, model, hardware_class="x86-cpu", **facts)
    made = bench.rebuilt(source, "x86-nvidia-gpu")
    kept = card(made)
    assert str(made.variant) == "int8-tensorrt"
    assert (kept.metrics, kept.confidence) == ((), None)
    assert "compared with the int8 graph of parts-1.0.0_x86-cpu, not with FP32" in kept.caveats
    lost = "because int8-tensorrt computes with other numbers: accuracy, calibrated confidence"
    assert [caveat for caveat in kept.caveats if caveat.endswith(lost)]


def test_integers_that_tensorrt_does_not_take_are_refused_with_the_node(bench: Bench) -> None:
    variant, model, facts = int8("u8s8")
    source = bench.source(variant, model, hardware_class="x86-cpu", **facts)
    with pytest.raises(NoVariantLeft, match=r"tensorrt refuses node .* TensorRT takes int8 around 0"):
        bench.rebuilt(source, "x86-nvidia-gpu")


def test_half_floats_go_to_classes_that_run_them_only(bench: Bench) -> None:
    gpu = bench.again(bench.rebuilt(bench.source(), "x86-nvidia-gpu"))
    jetson = bench.rebuilt(gpu, "jetson-orin-nx")
    assert str(jetson.variant) == "f16-tensorrt"
    assert jetson.artifact.model == gpu.model
    with pytest.raises(VariantNotRunnable, match="holds f16 numbers, arm-cpu runs int8-onnxruntime"):
        bench.rebuilt(gpu, "arm-cpu")


@NEEDS_NO_TENSORRT
def test_a_build_of_a_build_says_where_each_number_is_from(bench: Bench) -> None:
    first = bench.again(bench.rebuilt(bench.source(hardware_class="x86-cpu"), "x86-nvidia-gpu"))
    assert NO_PLAN in first.card.caveats
    second = bench.again(bench.rebuilt(first, "jetson-orin-nx"))
    assert second.card.caveats.count(NO_PLAN) == 1
    made_from = [caveat for caveat in second.card.caveats if caveat.startswith("nothing was measured")]
    assert made_from == [
        "nothing was measured with this build; it was made from parts-1.0.0_x86-nvidia-gpu (f16-tensorrt)"
    ]
    assert second.card.reference_sha256 == first.card.reference_sha256


def test_what_was_packaged_plain_on_request_stays_plain(bench: Bench) -> None:
    made = bench.rebuilt(bench.source(grafted=False), "x86-cpu")
    assert (card(made).input.datatype, card(made).output.decoder) == ("FP32", "yolov8")


def test_what_is_plain_because_nothing_grafted_it_is_grafted(bench: Bench) -> None:
    source = bench.source(grafted=False)

    def by_hand(text: str) -> str:
        return text.replace('"outpost":', '"exporter":')

    rehash(source.directory, by_hand)
    made = bench.rebuilt(read_packaged_source(source.directory), "x86-cpu")
    assert (card(made).input.datatype, card(made).output.decoder) == ("UINT8", "candidates")
    assert card(made).reference_sha256 == source.card.reference_sha256


@pytest.mark.parametrize("named", [True, False])
def test_the_plain_model_is_named_only_where_it_is_known(bench: Bench, named: bool) -> None:
    source = bench.source()
    if not named:

        def forgotten(text: str) -> str:
            return text.replace(f'"reference_sha256": "{source.card.reference_sha256}"', '"reference_sha256": null')

        rehash(source.directory, forgotten)
    made = bench.rebuilt(read_packaged_source(source.directory), "x86-cpu")
    assert card(made).reference_sha256 == (source.card.reference_sha256 if named else None)
