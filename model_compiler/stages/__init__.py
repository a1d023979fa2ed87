"""The stages of a compilation, each ``run(artifact, recipe) -> artifact``, without I/O of their own."""
