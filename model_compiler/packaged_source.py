"""A build that another one is made from, read and checked."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from contracts.build_manifest import CARD_FILE, CONFIG_FILE
from contracts.model_card import ModelCard
from contracts.quantization import Variant
from model_compiler.errors import InvalidBuild
from model_compiler.graph.graph_support import check_graph
from model_compiler.graph.onnx_model import parse_model
from model_compiler.packaging.build_directory import read_build
from model_compiler.packaging.packaged_serving import packaged_serving
from model_compiler.packaging.pbtxt import read_text
from model_compiler.packaging.serving_settings import ServingSettings
from model_compiler.packaging.triton_config import MODEL_FILE
from model_compiler.stages.package import VERSION_FOLDER
from model_compiler.variant import Backend, BuildVariant

_MODEL = f"{VERSION_FOLDER}/{MODEL_FILE}"


@dataclass(frozen=True, slots=True)
class PackagedSource:
    """What is in a build directory.

    Attributes:
        directory: Where it was.
        card: What it says of itself.
        variant: How it is run.
        serving: How it batches and queues.
        model: Serialised ONNX, checked.
    """

    directory: Path
    card: ModelCard
    variant: BuildVariant
    serving: ServingSettings
    model: bytes

    @property
    def takes_pixels(self) -> bool:
        """Whether it is grafted."""
        return self.card.input.datatype == "UINT8"

    @property
    def wants_graft(self) -> bool:
        """Whether it is plain without anybody having asked for that.

        The compiler leaves a graph plain only on request; what it did not write is plain because nothing grafted it.
        """
        return not self.takes_pixels and "outpost" not in self.card.built_with


def read_packaged_source(directory: Path) -> PackagedSource:
    """Read a build, whatever it was made for.

    Raises:
        InputFileMissing: There is no such directory.
        InvalidBuild: A file is missing or changed, or the build is none that the compiler writes.
        ModelError: Its graph cannot be computed.
    """
    files = read_build(directory)
    others = sorted(set(files) - {_MODEL} - {path for path in files if not path.startswith(f"{VERSION_FOLDER}/")})
    if _MODEL not in files or others:
        raise InvalidBuild(directory, [f"its model must be {_MODEL} alone, found {', '.join(others) or 'nothing'}"])
    check_graph(parse_model(files[_MODEL], source=str(directory / _MODEL)))
    card = ModelCard.model_validate_json(files[CARD_FILE])
    config = read_text(files[CONFIG_FILE].decode())
    try:
        own = BuildVariant.model_validate({"variant": card.variant, "backend": str(config["backend"][0])})
        serving = packaged_serving(config)
    except ValidationError as error:
        problems = [f"{CONFIG_FILE}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise InvalidBuild(directory, problems) from error
    except ValueError as error:
        raise InvalidBuild(directory, [f"{CONFIG_FILE}: {error}"]) from error
    return PackagedSource(directory, card, variant_of(card, own.variant, own.backend), serving, files[_MODEL])


def variant_of(card: ModelCard, variant: Variant, backend: Backend) -> BuildVariant:
    """A way to run what a build holds, pruned and quantised as its card says.

    A form of INT8 that TensorRT does not take is left for it to refuse, with the node.
    """
    found = BuildVariant(variant=variant, backend=backend, pruned=card.pruned)
    if variant != "int8" or card.quantization is None or backend == "tensorrt":
        return found
    scheme = card.quantization.scheme
    return found if scheme == found.scheme else found.model_copy(update={"quantization": scheme})
