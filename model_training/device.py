"""Where training runs."""

import torch


def training_device() -> torch.device:
    """The CUDA device where PyTorch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
