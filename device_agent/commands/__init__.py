"""The verbs of ``outpost-agent``."""
