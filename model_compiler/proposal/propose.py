"""From facts and hints to a proposal; reads and writes nothing."""

from model_compiler.proposal.assumption import Assumption
from model_compiler.proposal.hints import Hints
from model_compiler.proposal.label_names import choose_labels
from model_compiler.proposal.model_facts import ModelFacts
from model_compiler.proposal.network_kind import find_kind
from model_compiler.proposal.picture_size import choose_size
from model_compiler.proposal.pixel_values import choose_pixel_values
from model_compiler.proposal.proposal import Proposal

_FEWEST_FRAMES = 100


def propose(facts: ModelFacts, hints: Hints) -> Proposal:
    """Propose what a network is and how it wants its frames.

    Args:
        facts: With the sizes of the outputs, see ``read_model_facts``.
        hints: What the user says; it always wins where the model leaves a choice.

    Raises:
        NotProposable: The network is of a kind that is not served, or could be several.
        LabelCountMismatch: There are more or fewer labels than classes.
    """
    size_wh, why_size = choose_size(facts.picture, facts.outputs, facts.notes, hints.size_wh)
    kind = find_kind(facts, hints, size_wh)
    labels, why_labels = choose_labels(hints.labels, facts.notes, kind.classes, kind.layout)
    pixels = choose_pixel_values(facts, hints, kind.task)
    dynamic = facts.picture.shape[0] is None
    return Proposal(
        hints=hints,
        task=kind.task,
        labels=labels,
        size_wh=size_wh,
        pixels=pixels,
        head=kind.head,
        output=kind.output,
        dynamic_batch=dynamic,
        assumptions=(
            *kind.assumptions,
            why_labels,
            why_size,
            *pixels.assumptions,
            *_about_frames(hints),
            _about_batch(dynamic=dynamic),
        ),
    )


def _about_batch(*, dynamic: bool) -> Assumption:
    if dynamic:
        return Assumption("batch", "several frames at a time", "the model leaves its batch axis open")
    return Assumption("batch", "one frame at a time", "the model has a batch of 1; a dynamic axis would allow more")


def _about_frames(hints: Hints) -> tuple[Assumption, ...]:
    made = list[Assumption]()
    if hints.calibration is None:
        exact = hints.evaluation is None
        reason = "INT8 needs frames like those of the site" + (", and nothing is measured" if exact else "")
        made.append(Assumption("variants", "f32 only" if exact else "float only", reason, "--calibration"))
    elif hints.calibration_count < _FEWEST_FRAMES:
        reason = f"only {hints.calibration_count} frames: ranges are less certain than with {_FEWEST_FRAMES} or more"
        made.append(Assumption("calibration", "few frames", reason, "--calibration"))
    if hints.calibration is not None and hints.evaluation is None:
        reason = "measured on the calibration frames, which flatters INT8"
        made.append(Assumption("evaluation", str(hints.calibration), reason, "--evaluation"))
    if hints.calibration is None and hints.evaluation is None:
        made.append(Assumption("evaluation", "nothing is measured", "there are no frames", "--evaluation"))
    return tuple(made)
