"""What the deployables say to each other: frozen messages, no I/O."""
