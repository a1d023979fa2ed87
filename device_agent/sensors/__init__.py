"""What a machine can tell of itself: one source per kind of sensor, and the collector that reads them all."""
