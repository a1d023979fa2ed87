"""Why the TensorRT plan of a build cannot be given to Triton. These are states of a device, not faults of a request.

EngineNotReady
├── EngineMissing     nobody has begun to make it
├── EngineBuilding    it is being made
├── EngineAbandoned   its maker was ended in the middle of it
├── EngineFailed      it could not be made
├── EngineOutdated    it was made from another model
├── EngineDamaged     it is not what its maker wrote
└── EngineRefused     Triton does not take it, most often since it is for another GPU or TensorRT
"""

_BUILDER = "outpost-compile engines"


class EngineNotReady(Exception):
    """The build is loaded as soon as this changes; ``building_since`` is in Unix seconds, None where nobody builds."""

    building_since: float | None = None


class EngineMissing(EngineNotReady):
    """Nothing is known of a plan."""

    def __init__(self, *, builder_works: bool) -> None:
        who = "its turn will come" if builder_works else f"start {_BUILDER} with this state folder where Triton runs"
        super().__init__(f"it has no TensorRT plan for this machine yet: {who}")


class EngineBuilding(EngineNotReady):
    """Somebody makes it now."""

    def __init__(self, began: str, building_since: float, machine: str, reason: str) -> None:
        self.building_since = building_since
        super().__init__(f"building: its TensorRT plan is being made for {machine} since {began}: {reason}")


class EngineAbandoned(EngineNotReady):
    """A status says building, but nobody holds the lock."""

    def __init__(self, began: str) -> None:
        super().__init__(
            f"its TensorRT plan was begun at {began} and not finished, nobody works on it: start {_BUILDER} again"
        )


class EngineFailed(EngineNotReady):
    """The maker of plans gave up on it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"its TensorRT plan could not be made: {reason}")


class EngineOutdated(EngineNotReady):
    """The plan belongs to another ONNX file."""

    def __init__(self, *, builder_works: bool) -> None:
        what = "it is made again" if builder_works else f"start {_BUILDER} again"
        super().__init__(f"its TensorRT plan was made from another model: {what}")


class EngineDamaged(EngineNotReady):
    """The plan's bytes are not those that were written."""

    def __init__(self, path: str, fact: str) -> None:
        super().__init__(f"its TensorRT plan {path} {fact}: remove that file, and {_BUILDER} makes it again")


class EngineRefused(EngineNotReady):
    """Triton did not load the plan."""

    def __init__(self, machine: str, said: str) -> None:
        super().__init__(
            f"Triton does not take its TensorRT plan, which is for {machine}: {said}; where this machine has another"
            f" GPU or TensorRT, {_BUILDER} makes it again when it is started in the image that Triton runs in"
        )
