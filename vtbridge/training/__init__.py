"""Learn from what vtbridge itself computes; offline, never while a stream runs."""
