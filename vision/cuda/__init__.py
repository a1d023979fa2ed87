"""The same steps as in `vision`, as CUDA kernels: they read and write arrays that lie in the GPU's memory.

Needs the extra ``gpu`` (numba-cuda). With ``NUMBA_ENABLE_CUDASIM=1`` the same kernels run on the CPU, slowly, on NumPy
arrays: so they are tested where there is no GPU.
"""
