"""Teach the network that finds the face in a drawing, from procedural characters alone."""
