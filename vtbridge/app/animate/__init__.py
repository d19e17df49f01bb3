"""A video of a face becomes a video of the character: tracked, smoothed, rendered, encoded."""
