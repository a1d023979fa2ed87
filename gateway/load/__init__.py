"""A load generator for a running gateway: it shares the cores with what it measures, so it does as little as it can."""
