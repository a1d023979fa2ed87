"""Brings Triton up, keeps its models and instances as they should be."""
