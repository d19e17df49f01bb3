"""Which runtime computes: tested against stored output, the fastest that is right."""
