"""The GPU's part of the gateway. Modules that need numba are imported only where a GPU was chosen."""
