"""A small parent that keeps the renderer alive: it starts it, watches it, and starts it again.

The parent renders nothing and loads no array library, so it does not share the ways in which a
renderer dies. It owns the lock of the avatar's name, the signals, and the restarts; the segment
in shared memory stays, so that a program that shows frames holds the last one meanwhile.
"""
