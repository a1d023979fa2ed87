"""The HTTP side: the Open Inference Protocol as Triton speaks it, and routes for people."""
