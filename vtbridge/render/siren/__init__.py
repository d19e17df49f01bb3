"""Sine networks over a grid of pixels (SIREN), computed on the CPU.

``folding.py`` turns a network's weights into levels that need the fewest multiplications,
``level.py`` runs one, in C where the extension was built (``_siren.c``) and in numpy
elsewhere, ``network.py`` runs all levels of a network on several threads.
"""
