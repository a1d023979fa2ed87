"""Smaller numbers: calibration, static INT8, half floats, weights only."""
