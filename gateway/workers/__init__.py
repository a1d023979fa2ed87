"""Serving processes: one inside the supervisor, or several."""
