"""Frames on their way out: shared memory first, everything else beside it."""
