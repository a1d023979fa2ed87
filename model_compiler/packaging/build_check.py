"""Whether the files of a build fit together: pure rules over bytes."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from contracts.build_manifest import CARD_FILE, CONFIG_FILE, MANIFEST_FILE, BuildManifest
from contracts.model_card import CARD_PARAMETER, ModelCard
from model_compiler.errors import CompileError
from model_compiler.graph.candidate_tail import COLUMNS, TOP
from model_compiler.graph.onnx_model import GraphInterface, TensorFacts, interface_of, parse_model
from model_compiler.packaging.pbtxt import ParsedMessage, ParsedValue, read_text

_VERSION_FOLDER = "1/"


def find_problems(name: str, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Everything that is wrong with a build, as sentences; none if it is sound.

    Args:
        name: Name of its directory.
        files: Content by relative path, all files there are.
    """
    missing = [file for file in (MANIFEST_FILE, CARD_FILE, CONFIG_FILE) if file not in files]
    if missing:
        return tuple(f"{file} is missing" for file in missing)
    try:
        manifest = BuildManifest.model_validate_json(files[MANIFEST_FILE])
        card = ModelCard.model_validate_json(files[CARD_FILE])
    except ValidationError as error:
        return (f"{error.title} does not parse: {_first_line(error)}",)
    problems = [*_manifest_problems(name, manifest, files), *_card_problems(name, card, files)]
    try:
        config = read_text(files[CONFIG_FILE].decode())
    except (CompileError, UnicodeDecodeError) as error:
        return (*problems, f"{CONFIG_FILE} does not parse: {error}")
    return (*problems, *_config_problems(card, config), *_model_problems(card, config, files))


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _manifest_problems(name: str, manifest: BuildManifest, files: Mapping[str, bytes]) -> Iterator[str]:
    if manifest.build != name:
        yield f"{MANIFEST_FILE} is of build {manifest.build!r}, the directory is {name!r}"
    present = set(files) - {MANIFEST_FILE}
    yield from (f"{file} is missing" for file in sorted(set(manifest.files) - present))
    yield from (f"{file} is not in {MANIFEST_FILE}" for file in sorted(present - set(manifest.files)))
    for file in sorted(present & set(manifest.files)):
        if _digest(files[file]) != manifest.files[file]:
            yield f"{file} has changed: its sha256 is not the one in {MANIFEST_FILE}"


def _card_problems(name: str, card: ModelCard, files: Mapping[str, bytes]) -> Iterator[str]:
    if card.build != name:
        yield f"{CARD_FILE} is of build {card.build!r}, the directory is {name!r}"
    served = {path: _digest(data) for path, data in files.items() if path.startswith(_VERSION_FOLDER)}
    if served != {_VERSION_FOLDER + path: digest for path, digest in card.files.items()}:
        yield f"{CARD_FILE} lists other files or hashes than there are under {_VERSION_FOLDER}"


def _config_problems(card: ModelCard, config: ParsedMessage) -> Iterator[str]:
    if config.get("name", []) != [card.build]:
        yield f"{CONFIG_FILE} has the name {_shown(config.get('name', []))}, expected {card.build!r}"
    if len(config.get("backend", [])) != 1:
        yield f"{CONFIG_FILE} must name one backend"
    chosen = sorted({field for group in _messages(config, "instance_group") for field in group} - {"kind", "profile"})
    if chosen:
        yield f"{CONFIG_FILE} sets {', '.join(chosen)} in instance_group, which is chosen by the machine that loads it"
    repeated = [
        value.get("string_value", [])
        for parameter in _messages(config, "parameters")
        for value in _messages(parameter, "value")
        if parameter.get("key") == [CARD_PARAMETER]
    ]
    if len(repeated) != 1 or not _is_card(repeated[0], card):
        yield f"parameter {CARD_PARAMETER} in {CONFIG_FILE} does not repeat {CARD_FILE}"


def _is_card(values: Sequence[ParsedValue], card: ModelCard) -> bool:
    try:
        return len(values) == 1 and ModelCard.model_validate_json(str(values[0])) == card
    except ValidationError:
        return False


def _model_problems(card: ModelCard, config: ParsedMessage, files: Mapping[str, bytes]) -> Iterator[str]:
    models = [data for path, data in files.items() if path.startswith(_VERSION_FOLDER) and path.endswith(".onnx")]
    if len(models) != 1:
        yield f"there must be one ONNX model under {_VERSION_FOLDER}, found {len(models)}"
        return
    try:
        interface = interface_of(parse_model(models[0], check=False))
    except CompileError as error:
        yield str(error)
        return
    yield from _agreement("input", interface.inputs, config)
    yield from _agreement("output", interface.outputs, config)
    yield from _card_against_graph(card, interface)


def _agreement(kind: str, tensors: Sequence[TensorFacts], config: ParsedMessage) -> Iterator[str]:
    batched = _shown(config.get("max_batch_size", [])) not in {"", "0"}
    of_graph = {tensor.name: _entry(tensor, batched=batched) for tensor in tensors}
    for entry in _messages(config, kind):
        name = _shown(entry.get("name", []))
        said = f"{_shown(entry.get('data_type', []))} [{_shown(entry.get('dims', []))}]"
        if of_graph.get(name) != said:
            yield f"{kind} {name!r} is {said} in {CONFIG_FILE}, {of_graph.get(name, 'not there')} in the model"
    if kind == "input" and set(of_graph) != {_shown(entry.get("name", [])) for entry in _messages(config, kind)}:
        yield f"{CONFIG_FILE} must have the inputs {sorted(of_graph)}"


def _entry(tensor: TensorFacts, *, batched: bool) -> str:
    sizes = tensor.shape[1:] if batched else tensor.shape
    return f"TYPE_{tensor.datatype} [{','.join('-1' if size is None else str(size) for size in sizes)}]"


def _card_against_graph(card: ModelCard, interface: GraphInterface) -> Iterator[str]:
    wanted = (card.input.name, card.input.datatype, card.input.shape[1:])
    if [(tensor.name, tensor.datatype, tensor.shape[1:]) for tensor in interface.inputs] != [wanted]:
        yield f"{CARD_FILE} describes input {wanted}, the model has {'; '.join(map(str, interface.inputs))}"
    output = next((tensor for tensor in interface.outputs if tensor.name == card.output.name), None)
    if output is None:
        yield f"{CARD_FILE} names output {card.output.name!r}, which the model does not have"
    elif card.output.decoder == "candidates" and (output.datatype, output.shape[1:]) != ("FP32", (TOP, COLUMNS)):
        yield f"candidates must be FP32 [N,{TOP},{COLUMNS}], the model has {output}"


def _messages(message: ParsedMessage, field: str) -> list[ParsedMessage]:
    return [value for value in message.get(field, []) if isinstance(value, dict)]


def _shown(values: Sequence[ParsedValue]) -> str:
    return ",".join(map(str, values))
