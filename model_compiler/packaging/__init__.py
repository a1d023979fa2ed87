"""Build directories: what is in them, and how they are written and checked."""
