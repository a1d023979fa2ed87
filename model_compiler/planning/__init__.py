"""Where a model should run: pure functions over answers, classes and measurements."""
