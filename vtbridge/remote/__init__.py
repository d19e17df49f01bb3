"""Poses from one computer to another: the wire, both ends of it, and the buffer behind it."""
