"""What a build costs in accuracy and gains in speed, measured end to end through the gateway."""
