"""The gRPC side: the Open Inference Protocol as Triton speaks it."""
