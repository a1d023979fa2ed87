import pytest

from model_compiler.quantization.errors import WeightOnlyRefused
from model_compiler.quantization.output_fidelity import channel_sqnr_db
from model_compiler.quantization.weight_only import Kind, quantize_weights
from tests.model_compiler.quantization.small_networks import batch, classifier, detector, matrix_network, run

KINDS: tuple[Kind, ...] = ("int8-dynamic", "int4-weights")


@pytest.mark.parametrize(("kind", "ratio", "decibels"), [("int8-dynamic", 0.6, 20), ("int4-weights", 0.5, 8)])
def test_matrices_become_smaller(kind: Kind, ratio: float, decibels: float) -> None:
    model = matrix_network()
    quantized = quantize_weights(model, kind)
    assert len(quantized) < ratio * len(model)
    assert channel_sqnr_db(run(model, batch()), run(quantized, batch())).mean() > decibels
    assert quantize_weights(model, kind) == quantized


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [detector(), classifier()], ids=["detector", "classifier"])
def test_convolutional_networks_are_refused_with_the_share(kind: Kind, model: bytes) -> None:
    with pytest.raises(WeightOnlyRefused, match=r"\d\.\d% of the multiply-adds.*convolutions.*static INT8") as info:
        quantize_weights(model, kind)
    assert info.value.share < 0.01
