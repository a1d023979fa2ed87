"""What every part of a model card has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Score = Annotated[float, Field(ge=0.0, le=1.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CardPart(BaseModel):
    """Frozen; unknown fields are kept: a newer compiler may say more than this reader knows."""

    model_config = ConfigDict(frozen=True, extra="allow")
