"""What a graph and its metadata say by themselves."""

from dataclasses import dataclass, field

import onnx

from model_compiler.errors import UnexpectedTensor
from model_compiler.graph.class_output import value_maker
from model_compiler.graph.node_names import described
from model_compiler.graph.onnx_model import TensorFacts, interface_of
from model_compiler.graph.output_shape import with_known_sizes
from model_compiler.graph.picture_input import find_picture_input, with_picture_size
from model_compiler.proposal.errors import NotProposable
from model_compiler.proposal.exporter_notes import ExporterNotes, read_exporter_notes
from model_compiler.proposal.own_normalisation import OwnNormalisation, find_own_normalisation
from model_compiler.proposal.picture_size import choose_size

_NMS = frozenset({"NonMaxSuppression", "EfficientNMS_TRT", "BatchedNMS_TRT"})


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts that a proposal is made of.

    Attributes:
        picture: The input, as exported.
        outputs: With known sizes, unless boxes are suppressed inside.
        notes: What the exporter noted.
        own_normalisation: What the graph does to pixels before its first layer.
        nms_node: A node that suppresses boxes, described.
        has_top: Whether the graph chooses the best of something.
        sigmoids: Outputs whose values come from a sigmoid.
    """

    picture: TensorFacts
    outputs: tuple[TensorFacts, ...]
    notes: ExporterNotes = field(default_factory=ExporterNotes)
    own_normalisation: OwnNormalisation = field(default_factory=OwnNormalisation)
    nms_node: str | None = None
    has_top: bool = False
    sigmoids: frozenset[str] = frozenset()


def read_model_facts(model: onnx.ModelProto, given_wh: tuple[int, int] | None = None) -> ModelFacts:
    """Read the facts of a checked model.

    Args:
        model: Any.
        given_wh: Width and height that the user gives for its picture.

    Raises:
        NotProposable: The input is no picture that frames can be made into, or has another size than was given.
        ModelError: The sizes of an output cannot be found.
    """
    picture = _picture(model)
    notes = read_exporter_notes({entry.key: entry.value for entry in model.metadata_props})
    nms_node = next((described(node) for node in model.graph.node if node.op_type in _NMS), None)
    outputs = interface_of(model).outputs
    if nms_node is None:
        size_wh, _ = choose_size(picture, outputs, notes, given_wh)
        sized = with_picture_size(model, *size_wh)
        outputs = tuple(with_known_sizes(sized, output) for output in interface_of(sized).outputs)
    makers = {output.name: value_maker(model, output.name) for output in outputs}
    return ModelFacts(
        picture=picture,
        outputs=outputs,
        notes=notes,
        own_normalisation=find_own_normalisation(model, picture.name),
        nms_node=nms_node,
        has_top=any(node.op_type == "TopK" for node in model.graph.node),
        sigmoids=frozenset(name for name, node in makers.items() if node is not None and node.op_type == "Sigmoid"),
    )


def _picture(model: onnx.ModelProto) -> TensorFacts:
    try:
        picture = find_picture_input(model)
    except UnexpectedTensor as error:
        raise NotProposable(str(error), _remedy(interface_of(model).inputs)) from error
    batch = picture.shape[0]
    if batch not in {None, 1}:
        raise NotProposable(
            f"input: {picture} takes {batch} pictures at a time, never fewer",
            "export it with batch size 1 or with a dynamic batch axis",
        )
    return picture


def _remedy(inputs: tuple[TensorFacts, ...]) -> str:
    if len(inputs) != 1:
        return "only networks with one input are served"
    facts = inputs[0]
    if facts.datatype in {"FP16", "BF16"}:
        return "export it in single precision (half=False); `build` makes smaller variants itself"
    if facts.datatype != "FP32":
        return "export the float model; `build` quantises it itself and measures what that costs"
    if len(facts.shape) == 4 and facts.shape[3] == 3:
        return "the channels are last, as TensorFlow has them: convert with --inputs-as-nchw (tf2onnx)"
    if len(facts.shape) == 4 and facts.shape[1] == 1:
        return "it takes grey pictures: frames are colour pictures, train and export it with three channels"
    return "only networks that take one colour picture are served"
