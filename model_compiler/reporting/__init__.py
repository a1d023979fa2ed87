"""What was built and measured, as tables and pictures."""
