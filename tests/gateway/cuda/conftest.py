"""The kernels run on a GPU where there is one, and in numba's simulator elsewhere."""

import os
from pathlib import Path

HAS_GPU = Path("/dev/nvidiactl").exists()

if not HAS_GPU:  # read by numba when it is imported
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
