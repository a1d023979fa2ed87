"""The device agent: what the machine under the gateway does, for Prometheus."""
