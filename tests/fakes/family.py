"""A detector, a classifier and their cascade, as a gateway knows them."""

from contracts.active_models import ActiveModel, Cascade
from contracts.model_card import InputSpec, ModelCard, OutputSpec, Thresholds
from gateway.catalogue import Catalogue, LoadedBuild
from tests.fakes.http_gateway import BUILD, CARD, ready_catalogue

PARTS = "parts-1.0.0_x86-cpu"
PARTS_CARD = ModelCard(
    model="parts",
    version="1.0.0",
    hardware_class="x86-cpu",
    task="classification",
    labels=("pass", "scratch", "pit"),
    input=CARD.input,
    output=OutputSpec(name="probabilities", decoder="probabilities"),
    thresholds=Thresholds(default=0.5, by_label={"pit": 0.8}),
)
CASCADE = Cascade(first="parts", then="defects", skip_label="pass", skip_score=0.9)
SMALL_INPUT = InputSpec(width=32, height=32)


def family_catalogue(cascade: Cascade = CASCADE, parts_card: ModelCard = PARTS_CARD) -> Catalogue:
    """Everything is ready."""
    plain = ready_catalogue()
    parts = LoadedBuild(name=PARTS, ready=True, card=parts_card)
    return plain.model_copy(
        update={
            "aliases": {**plain.aliases, "parts": ActiveModel(stable=PARTS)},
            "cascades": {"inspection": cascade},
            "builds": {**plain.builds, PARTS: parts},
        }
    )


def without(catalogue: Catalogue, build: str) -> Catalogue:
    """The same while a build is not ready."""
    gone = LoadedBuild(name=build, ready=False, reason="it does not load: broken")
    return catalogue.model_copy(update={"builds": {**catalogue.builds, build: gone}})


__all__ = ["BUILD", "CASCADE", "PARTS", "PARTS_CARD", "SMALL_INPUT", "family_catalogue", "without"]
