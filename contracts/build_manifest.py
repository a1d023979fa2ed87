"""``manifest.json``: the hashes of a build's other files; this is what is signed."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MANIFEST_FILE = "manifest.json"
CARD_FILE = "card.json"
CONFIG_FILE = "config.pbtxt"


class BuildManifest(BaseModel):
    """The files of one build, by path relative to its directory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    build: str
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
