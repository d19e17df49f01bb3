"""vtbridge: one picture of an anime character, live and transparent, in OBS."""

__version__ = "0.1.0"
