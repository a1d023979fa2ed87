import numpy as np
import onnx

from model_compiler.quantization.float_head import decode_tail, head_nodes
from tests.model_compiler.quantization.small_networks import NetworkBuilder, classifier, detector


def test_the_head_is_the_last_layers_and_what_follows() -> None:
    graph = onnx.load_from_string(detector())
    tail = {"box_rows", "score_rows", "unit_boxes", "box_pixels", "probabilities", "predictions"}
    assert set(decode_tail(graph)) == tail
    assert set(head_nodes(graph)) == tail | {"box_predict", "score_predict"}


def test_of_a_classifier_it_is_the_last_matrix() -> None:
    assert head_nodes(onnx.load_from_string(classifier())) == ("last",)


def test_a_convolution_that_decodes_a_distribution_belongs_to_the_tail() -> None:
    net = NetworkBuilder()
    stem = net.conv_relu("images", "stem", 3, 8)
    logits = net.conv(stem, "box_predict", 8, 16)
    weights = net.add("Softmax", logits, name="distribution", axis=1)
    net.constant("steps", np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1))
    distances = net.add(
        "Conv", net.add("Transpose", weights, name="turned", perm=[0, 1, 3, 2]), "steps", name="expected"
    )
    net.add("Mul", distances, net.constant("stride", np.full(1, 8, np.float32)), name="pixels")
    graph = onnx.load_from_string(net.model("boxes", ["batch", 1, 32, 32]))
    assert decode_tail(graph) == ("distribution", "turned", "expected", "pixels")
    assert head_nodes(graph) == ("box_predict", "distribution", "turned", "expected", "pixels")
