"""The verbs of ``outpost-compile``, one module each: ``describe(verb)`` and ``run(options)``."""
