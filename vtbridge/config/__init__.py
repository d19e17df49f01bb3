"""One schema out of the stages' own settings, and its file."""
