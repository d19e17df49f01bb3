"""The project's own inference engine for CPUs: fused separable convolutions, in C.

``network.py`` lays a network's layers out as operations, ``program.py`` packs them with
their weights and places their buffers in memory, ``_native.c`` runs them. Weights are read
as they were published; nothing is prepared.
"""
