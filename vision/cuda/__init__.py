"""The same steps as in `vision`, as CUDA kernels: they read and write arrays that lie in the GPU's memory.

Needs the extra ``gpu`` (numba-cuda). With ``NUMBA_ENABLE_CUDASIM=1`` the same kernels run on the CPU, slowly, on NumPy
arrays: so they are tested where there is no GPU.
"""

from numba.cuda.core import config

config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # small inputs are as good as large ones, and each launch would warn of them
