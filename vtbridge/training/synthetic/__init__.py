"""Procedural anime characters: layers of contours with depth, drawn in any pose, with labels."""
