"""Build directories that were changed and made sound again."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from contracts.model_card import ModelCard
from model_compiler.packaging.pbtxt import quoted, read_text

CARD = "outpost_card"


def rehash(directory: Path, change: Callable[[str], str] = str) -> None:
    """Change the text of card and configuration, and bring all hashes and the copy of the card up to date."""
    card_path, config_path = directory / "card.json", directory / "config.pbtxt"
    old = read_text(config_path.read_text())["parameters"]
    copies = [str(each["value"][0]["string_value"][0]) for each in old if each["key"] == [CARD]]  # type: ignore[index]
    content = json.loads(change(card_path.read_text()))
    served = [path for path in sorted((directory / "1").rglob("*")) if path.is_file()]
    content["files"] = {str(path.relative_to(directory / "1")): digest(path) for path in served}
    card = ModelCard.model_validate(content)
    card_path.write_text(card.model_dump_json(indent=2) + "\n")
    whole = config_path.read_text().replace(quoted(copies[0]), "@")
    config_path.write_text(change(whole).replace("@", quoted(card.model_dump_json())))
    manifest = {"build": card.build, "files": {}}
    for path in (config_path, card_path, *served):
        manifest["files"][str(path.relative_to(directory))] = digest(path)  # type: ignore[index]
    (directory / "manifest.json").write_text(json.dumps(manifest))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
