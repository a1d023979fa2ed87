"""Weights of a network as arrays by name: the form that is shipped, and that jobs hand on. Nothing in it is code."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from model_training.atomic_file import write_atomically


class WeightsUnreadable(Exception):
    """A file is not weights, or those of another network."""

    def __init__(self, path: Path, problem: str) -> None:
        """Keep which file and why."""
        super().__init__(f"weights {path}: {problem}")
        self.path, self.problem = path, problem


def save_weights(state: Mapping[str, Tensor], path: Path, *, half: bool = False) -> str:
    """Write a state dictionary as ``.npz``, whole or not at all.

    Args:
        state: Tensors by name.
        path: Its folder is made if need be.
        half: Store the weights of convolutions and linear layers as FP16, which halves the file.

    Returns:
        sha256 of the file; equal weights give equal files.
    """
    content = io.BytesIO()
    # zipfile instead of np.savez, which stores the time of day
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, tensor in sorted(state.items()):
            array = tensor.detach().cpu().numpy()
            # Statistics and biases are few, and a variance may lie outside of FP16.
            if half and array.dtype == np.float32 and array.ndim > 1:
                array = array.astype(np.float16)
            raw = io.BytesIO()
            np.save(raw, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), raw.getvalue())
    write_atomically(path, content.getvalue())
    return hashlib.sha256(content.getvalue()).hexdigest()


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read a file of `save_weights`, floats as FP32.

    Raises:
        FileNotFoundError: There is none.
        WeightsUnreadable: It is something else.
    """
    content = path.read_bytes()
    try:
        # From memory: given a path, numpy leaves a file open that it cannot read.
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise WeightsUnreadable(path, f"not an .npz file of arrays ({error})") from error
    return {
        name: torch.from_numpy(array.astype(np.float32) if array.dtype == np.float16 else array)
        for name, array in arrays.items()
    }


def use_weights(network: nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Put weights into a network, which first takes the widths that they have: a pruned net is narrower.

    Raises:
        WeightsUnreadable: They are of another network.
    """
    for name, module in network.named_modules():
        if f"{name}.weight" in state:
            _resize(module, state[f"{name}.weight"].shape)
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        first = str(error).partition("\n\t")[2].partition("\n")[0].strip()
        raise WeightsUnreadable(source, f"they are of another network: {first}") from error


def _resize(module: nn.Module, shape: torch.Size) -> None:
    weight = module.weight
    if not isinstance(weight, Tensor) or weight.shape == shape:
        return
    module.weight = nn.Parameter(torch.empty(shape))
    if isinstance(module, nn.Conv2d):
        module.out_channels, module.in_channels = int(shape[0]), int(shape[1]) * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = int(shape[0]), int(shape[1])
    elif isinstance(module, nn.BatchNorm2d):
        module.num_features = int(shape[0])
        module.running_mean, module.running_var = torch.empty(shape), torch.empty(shape)
    if module.bias is not None:
        module.bias = nn.Parameter(torch.empty(shape[0]))
