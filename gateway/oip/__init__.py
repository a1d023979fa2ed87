"""The Open Inference Protocol's gRPC messages and stubs: those of Triton's client, reused.

Two copies of the stubs cannot live in one process, so that the gateway generates none of its own.
"""

from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

__all__ = ["model_config_pb2", "service_pb2", "service_pb2_grpc"]
