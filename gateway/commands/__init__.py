"""The verbs of ``outpost-gateway`` that are clients of a running gateway."""
