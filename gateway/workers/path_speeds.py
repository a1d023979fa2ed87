"""Which path prepares frames more quickly. Pure."""

from dataclasses import dataclass

from gateway.preprocessing_choice import PreprocessingChoice


@dataclass(frozen=True, slots=True)
class PathSpeeds:
    """What was measured, for one frame.

    Attributes:
        cpu_ms: The CPU took.
        gpu_ms: The GPU took, with the tensor's way back into memory of the machine.
        gpu_slot_ms: The GPU took into a slot that lies on it; None where that was not measured.
    """

    cpu_ms: float
    gpu_ms: float
    gpu_slot_ms: float | None = None

    def quicker(self, frame: str, device: str) -> PreprocessingChoice:
        """The path to take.

        Args:
            frame: What was measured: "a JPEG of 1920 x 1080".
            device: The GPU, in words.
        """
        cpu, back = f"the CPU {self.cpu_ms:.2f} ms", f"{self.gpu_ms:.2f} ms"
        if self.gpu_ms < self.cpu_ms:
            return PreprocessingChoice("cuda", f"{device}; it took {back} for {frame} at the start, {cpu}")
        if self.gpu_slot_ms is None:
            return PreprocessingChoice(
                "cpu", f"the GPU is no quicker: it took {back} for {frame} at the start, {cpu} ({device})"
            )
        both = f"{self.gpu_slot_ms:.2f} ms for {frame} into its own memory and {back} into the machine's at the start"
        if self.gpu_slot_ms < self.cpu_ms:
            return PreprocessingChoice(
                "cuda",
                f"{device}; it took {both}, {cpu}: it prepares frames whose slots lie on it, the CPU all others",
                only_into_its_memory=True,
            )
        return PreprocessingChoice("cpu", f"the GPU is no quicker: it took {both}, {cpu} ({device})")
