import pytest

from contracts.active_models import ActiveModel, Canary
from contracts.model_card import ModelCard, OutputSpec
from gateway.catalogue import Catalogue, LoadedBuild
from gateway.device_output import RawOutput
from gateway.errors import ModelNotReady, UnknownModel


def build(version: str, *, ready: bool = True, with_card: bool = True, reason: str = "") -> LoadedBuild:
    from contracts.model_card import InputSpec

    card = ModelCard(
        model="defects",
        version=version,
        hardware_class="x86-cpu",
        labels=("pit",),
        input=InputSpec(width=416, height=320),
    )
    return LoadedBuild(name=card.build, ready=ready, reason=reason, card=card if with_card else None)


def catalogue(*builds: LoadedBuild, up: bool = True, roles: dict[str, object] | None = None) -> Catalogue:
    active = ActiveModel.model_validate({"stable": "defects-1.0.0_x86-cpu", **(roles or {})})
    return Catalogue(
        triton_up=up,
        triton_reason="" if up else "it is down",
        aliases={"defects": active},
        builds={b.name: b for b in builds},
    )


def test_the_stable_build_answers() -> None:
    chosen = catalogue(build("1.0.0")).resolve("defects", "")
    assert (chosen.build.name, chosen.reason) == ("defects-1.0.0_x86-cpu", "stable")


def test_the_previous_build_stands_in_then_the_fallback() -> None:
    roles: dict[str, object] = {"previous": "defects-0.9.0_x86-cpu", "fallback": "defects-0.1.0_x86-cpu"}
    broken = build("1.0.0", ready=False)
    chosen = catalogue(broken, build("0.9.0"), build("0.1.0"), roles=roles).resolve("defects", "")
    assert (chosen.build.name, chosen.reason) == ("defects-0.9.0_x86-cpu", "previous")
    chosen = catalogue(broken, build("0.9.0", ready=False), build("0.1.0"), roles=roles).resolve("defects", "")
    assert (chosen.build.name, chosen.reason) == ("defects-0.1.0_x86-cpu", "fallback")


def test_a_canary_gets_its_share_and_equal_keys_get_equal_builds() -> None:
    canary = Canary(build="defects-1.1.0_x86-cpu", share=0.1)
    both = catalogue(build("1.0.0"), build("1.1.0"), roles={"canary": canary})
    chosen = [both.resolve("defects", f"request-{number}").reason for number in range(10_000)]
    assert 0.09 < chosen.count("canary") / len(chosen) < 0.11
    assert both.resolve("defects", "request-7") == both.resolve("defects", "request-7")


def test_a_canary_that_is_not_ready_gets_nothing() -> None:
    canary = Canary(build="defects-1.1.0_x86-cpu", share=1.0)
    assert (
        catalogue(build("1.0.0"), build("1.1.0", ready=False), roles={"canary": canary}).resolve("defects", "k").reason
        == "stable"
    )


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (catalogue(), "is not loaded yet"),
        (catalogue(build("1.0.0", ready=False, reason="it does not load: broken")), "it does not load: broken"),
        (catalogue(build("1.0.0", with_card=False)), "has no model card"),
        (catalogue(build("1.0.0", ready=False), up=False), "it is down"),
    ],
)
def test_not_ready_says_why(what: Catalogue, message: str) -> None:
    assert not what.alias_is_ready("defects")
    with pytest.raises(ModelNotReady, match=message):
        what.resolve("defects", "")


def test_a_build_without_a_card_answers_by_its_own_name() -> None:
    known = catalogue(build("1.0.0", with_card=False))
    assert known.is_ready()
    assert known.name_is_ready("defects-1.0.0_x86-cpu")
    assert not known.name_is_ready("defects")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"^Request for unknown model: 'nope' is not found; known: defects"):
        catalogue(build("1.0.0")).resolve("nope", "")


def test_readiness_of_builds_and_aliases() -> None:
    known = catalogue(build("1.0.0"))
    assert known.is_ready()
    assert known.name_is_ready("defects")
    assert known.name_is_ready("defects-1.0.0_x86-cpu")
    assert not known.name_is_ready("nope")
    assert known.largest_input_bytes == 416 * 320 * 3


def test_a_snapshot_survives_the_way_to_another_process() -> None:
    known = catalogue(build("1.0.0"), roles={"previous": "defects-0.9.0_x86-cpu"})
    assert Catalogue.model_validate_json(known.model_dump_json()) == known


def test_only_outputs_that_the_gateway_decodes_are_raw() -> None:
    plain = build("1.0.0")
    assert plain.card is not None
    card = plain.card.model_copy(update={"output": OutputSpec(name="output0", decoder="yolov5")})
    raw = plain.model_copy(update={"name": "raw", "card": card, "raw_output_shape": (25200, 6)})
    of_no_fixed_shape = raw.model_copy(update={"name": "dynamic", "raw_output_shape": ()})
    known = catalogue(plain, raw, of_no_fixed_shape)
    assert known.raw_outputs == {"raw": RawOutput("yolov5", (25200, 6), 1)}
    assert known.raw_outputs["raw"].size_bytes == 25200 * 6 * 4
    assert Catalogue.model_validate_json(known.model_dump_json()).raw_outputs == known.raw_outputs


def test_an_alias_says_why_another_build_stands_in() -> None:
    roles: dict[str, object] = {"fallback": "defects-0.1.0_x86-cpu"}
    waiting = build("1.0.0", ready=False, reason="building: its plan").model_copy(update={"building_since": 5.0})
    known = catalogue(waiting, build("0.1.0"), roles=roles)
    assert known.stand_in_reason("defects") == "build defects-1.0.0_x86-cpu: building: its plan"
    assert (waiting.state, build("0.1.0").state) == ("building", "ready")
    assert catalogue(build("1.0.0"), build("0.1.0"), roles=roles).stand_in_reason("defects") == ""
    assert catalogue(waiting, roles=roles).stand_in_reason("defects") == ""  # nobody stands in
    assert known.stand_in_reason("no such alias") == ""


def test_the_state_of_a_build_in_one_word() -> None:
    refused = build("1.0.0", ready=False).model_copy(update={"refused": True})
    assert (refused.state, build("1.0.0", ready=False).state) == ("refused", "not ready")


@pytest.mark.parametrize(
    ("what", "reasons"),
    [
        (catalogue(build("1.0.0")), ()),
        (catalogue(build("1.0.0", with_card=False)), ()),
        (catalogue(build("1.0.0"), up=False), ("Triton is not up: it is down",)),
        (Catalogue(triton_up=True), ("no model is active: active.json is missing or empty",)),
        (
            catalogue(build("1.0.0", ready=False, reason="model.onnx differs")),
            ("defects: build defects-1.0.0_x86-cpu: model.onnx differs",),
        ),
    ],
)
def test_what_keeps_it_from_being_ready_is_said(what: Catalogue, reasons: tuple[str, ...]) -> None:
    assert what.reasons_not_ready() == reasons
    assert what.is_ready() == (not reasons)
