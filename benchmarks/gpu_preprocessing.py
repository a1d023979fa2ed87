"""From a JPEG to a normalised FP32 tensor, each step on the CPU and on the GPU: milliseconds per frame.

`python -m benchmarks.gpu_preprocessing`, on a machine with an NVIDIA GPU and the extra `gpu`. Both sides make the same
tensor of the same frames. A batch is one launch; on the CPU as many threads as there are cores share its frames.
"""

import argparse
import datetime as dt
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numba import config as numba_config
from numba import cuda
from numpy.typing import NDArray

from benchmarks.gpu_preprocessing_report import WHOLE_CPU, WHOLE_GPU, report
from benchmarks.machine import describe_machine
from gateway.cuda.batch_lane import DeviceDecoder
from gateway.cuda.jpeg_decoder import JpegDecoder, why_no_jpeg_decoder
from vision.cuda.frame_plan import InputLayout, SourceFrame, normalisation_table, plan_frame, plan_table
from vision.cuda.letterbox import place_frames
from vision.decode import decode_pixels, reduction_for
from vision.image_header import read_image_header
from vision.letterbox import content_wh_for, letterbox

RESULTS = Path(__file__).parent / "results"
SIZES_WH = ((1920, 1080), (3840, 2160))
BATCHES = (1, 8, 32)
_MAX_PIXELS = 50_000_000
_FACTOR, _SHIFT = (1 / 255 / 0.225,) * 3, (0.45 / 0.225,) * 3
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Step = tuple[str, Callable[[], object]]


def main() -> None:
    """Measure; write `gpu_preprocessing.json` and `.md`.

    Raises:
        SystemExit: There is no GPU.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200, help="of each step (default: %(default)s)")
    parser.add_argument("--input", type=int, nargs=2, default=(640, 640), metavar=("WIDTH", "HEIGHT"))
    options = parser.parse_args()
    name = gpu_name()
    if not name:
        raise SystemExit("no NVIDIA GPU that numba can use; `python -m numba -s` says what is missing")
    layout = InputLayout(wh=tuple(options.input), mode="letterbox", pad_value=114, color="rgb", planar=True)
    no_decoder = why_no_jpeg_decoder()
    decoder = None if no_decoder else JpegDecoder(0)
    facts = {
        "command": shlex.join(["python", "-m", "benchmarks.gpu_preprocessing", *sys.argv[1:]]),
        "machine": describe_machine(dt.datetime.now(dt.UTC)) | {"GPU": name},
        "input_wh": layout.wh,
        "no_decoder": no_decoder,
        "steps": [step for wh in SIZES_WH for step in measure(wh, layout, BATCHES, options.repeats, decoder)],
    }
    (RESULTS / "gpu_preprocessing.json").write_text(json.dumps(facts, indent=1) + "\n")
    (RESULTS / "gpu_preprocessing.md").write_text(report(facts))
    print(report(facts))


def measure(
    frame_wh: tuple[int, int],
    layout: InputLayout,
    batches: Sequence[int],
    repeats: int,
    decoder: DeviceDecoder | None = None,
) -> list[dict[str, Any]]:
    """Each step for frames of one size: name, frame size, batch, milliseconds per frame (p50, p99).

    Args:
        frame_wh: Of the frames.
        layout: Of the tensor.
        batches: Frames in work at one time.
        repeats: Of each step.
        decoder: Decodes on the GPU; None leaves these steps out.
    """
    pixels = draw(frame_wh)
    data = bytes(simplejpeg.encode_jpeg(pixels, quality=90, colorsubsampling="420"))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        steps = [
            (name, batch, run)
            for batch in batches
            for name, run in (
                *cpu_steps(pixels, data, layout, batch, threads),
                *gpu_steps(pixels, data, layout, batch, decoder),
            )
        ]
        return [
            {"step": name, "frame_wh": frame_wh, "batch": batch, **percentiles(run, repeats, batch)}
            for name, batch, run in steps
        ]


def cpu_steps(pixels: Pixels, data: bytes, layout: InputLayout, batch: int, threads: Executor) -> list[Step]:
    """What the CPU does with a batch of one frame: the steps, and all of them as the gateway does them."""
    frame_wh = (pixels.shape[1], pixels.shape[0])
    content_wh = content_wh_for(frame_wh, layout.wh, layout.mode)
    reduced = _decode(data, content_wh)
    each: list[Step] = [
        ("decode, CPU", partial(_decode, data, None)),
        ("letterbox + normalise, CPU", partial(on_the_cpu, pixels, frame_wh, layout)),
        ("decode, CPU, reduced by the decoder", partial(_decode, data, content_wh)),
        ("letterbox + normalise, CPU, of the reduced", partial(on_the_cpu, reduced, frame_wh, layout)),
        (WHOLE_CPU, lambda: on_the_cpu(_decode(data, content_wh), frame_wh, layout)),
    ]
    return [(name, partial(_run_all, threads, run, batch)) for name, run in each]


def gpu_steps(
    pixels: Pixels, data: bytes, layout: InputLayout, batch: int, decoder: DeviceDecoder | None
) -> list[Step]:
    """What the GPU does with a batch of one frame: the steps, and all of them from the JPEG on."""
    job = DeviceJob.prepare([pixels] * batch, layout)
    steps: list[Step] = [
        ("letterbox + normalise, GPU", job.run),
        ("upload + letterbox + normalise, GPU", job.upload_and_run),
    ]
    if decoder is not None:
        jpegs = [data] * batch
        steps.append(("decode, GPU", partial(job.decode, decoder, jpegs)))
        steps.append((WHOLE_GPU, partial(job.decode_and_run, decoder, jpegs)))
    return steps


@dataclass(frozen=True, slots=True)
class DeviceJob:
    """A batch of frames whose pixels, tables and target lie on the device."""

    host: Any
    source: Any
    plans: Any
    factors: Any
    target: Any
    layout: InputLayout
    stream: Any

    @classmethod
    def prepare(cls, frames: list[Pixels], layout: InputLayout) -> "DeviceJob":
        """Upload everything once."""
        stream = cuda.stream()
        size = layout.wh[0] * layout.wh[1] * 3
        plans = []
        for index, pixels in enumerate(frames):
            wh = (pixels.shape[1], pixels.shape[0])
            plans.append(plan_frame(SourceFrame(index * pixels.size, wh, 1, wh), layout, index * size)[0])
        host = cuda.pinned_array(sum(pixels.size for pixels in frames), np.uint8)
        host[:] = np.concatenate([pixels.ravel() for pixels in frames])
        return cls(
            host,
            cuda.to_device(host),
            cuda.to_device(plan_table(plans)),
            cuda.to_device(normalisation_table([(_FACTOR, _SHIFT)] * len(frames))),
            cuda.device_array(len(frames) * size, np.float32),
            layout,
            stream,
        )

    def run(self) -> None:
        """The kernel, until it is done."""
        place_frames(self.source, self.plans, self.factors, self.target, input_wh=self.layout.wh, stream=self.stream)
        self.stream.synchronize()

    def upload_and_run(self) -> None:
        """The same with the pixels' way from pinned host memory."""
        self.source.copy_to_device(self.host, stream=self.stream)
        self.run()

    def decode(self, decoder: DeviceDecoder, jpegs: Sequence[bytes]) -> list[Any | None]:
        """The decoder alone, until it is done."""
        pictures = decoder.decode(jpegs, self.stream)
        self.stream.synchronize()
        return pictures

    def decode_and_run(self, decoder: DeviceDecoder, jpegs: Sequence[bytes]) -> None:
        """From JPEGs to tensors; the pixels are copied once on the device, as the gateway does it.

        Raises:
            ValueError: A picture is not decoded.
        """
        size = self.source.size // len(jpegs)
        for index, picture in enumerate(decoder.decode(jpegs, self.stream)):
            if picture is None:
                raise ValueError("the decoder does not take this JPEG")
            self.source[index * size : (index + 1) * size].copy_to_device(picture.reshape(-1), stream=self.stream)
        self.run()

    def tensors(self) -> Floats:
        """(frames, 3, height, width) on the host."""
        width, height = self.layout.wh
        values: Floats = self.target.copy_to_host()
        return values.reshape(-1, 3, height, width)


def on_the_cpu(pixels: Pixels, frame_wh: tuple[int, int], layout: InputLayout) -> Floats:
    """(3, height, width), as the gateway's CPU path makes it of decoded pixels, which may have been reduced."""
    width, height = layout.wh
    out = np.empty((height, width, 3), np.uint8)
    shown = (pixels.shape[1], pixels.shape[0])
    reduction = reduction_for(shown, content_wh_for(frame_wh, layout.wh, layout.mode))
    if reduction > 1:
        size = (-(-shown[0] // reduction), -(-shown[1] // reduction))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    letterbox(
        pixels,
        input_wh=layout.wh,
        mode=layout.mode,
        pad_value=layout.pad_value,
        color=layout.color,
        frame_wh=frame_wh,
        out=out,
    )
    normalised = out * np.array(_FACTOR, np.float32) - np.array(_SHIFT, np.float32)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))


def percentiles(run: Callable[[], object], repeats: int, batch: int) -> dict[str, float]:
    """Milliseconds per frame; the first runs, which compile, do not count."""
    for _ in range(min(3, repeats)):
        run()
    seconds = []
    for _ in range(repeats):
        began_at = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began_at)
    p50, p99 = np.percentile(seconds, (50, 99)) * 1e3 / batch
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


def draw(frame_wh: tuple[int, int]) -> Pixels:
    """A seeded picture with large and small structure, so that its JPEG has a usual size."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0 : frame_wh[1], 0 : frame_wh[0]]
    waves = 96 + 60 * np.sin(columns / 37) * np.cos(rows / 23)
    shaded = waves[..., None] + np.array((0, 20, 40)) + rng.normal(0, 4, (frame_wh[1], frame_wh[0], 1))
    pixels: Pixels = np.clip(shaded, 0, 255).astype(np.uint8)
    return pixels


def _run_all(threads: Executor, run: Callable[[], object], batch: int) -> None:
    if batch == 1:
        run()
        return
    for done in [threads.submit(run) for _ in range(batch)]:
        done.result()


def _decode(data: bytes, target_wh: tuple[int, int] | None) -> Pixels:
    header = read_image_header(data)
    return decode_pixels(data, header, target_wh=target_wh, max_pixels=_MAX_PIXELS, color="rgb")


def gpu_name() -> str:
    """The GPU that is measured; empty where numba has none, or simulates it."""
    if numba_config.ENABLE_CUDASIM or not cuda.is_available():
        return ""
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    return f"{name}, compute capability {'.'.join(map(str, device.compute_capability))}"


if __name__ == "__main__":
    main()
