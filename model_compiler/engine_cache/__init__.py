"""Plans that a device makes of its TensorRT builds."""
