"""VTube Studio's public API as a server, so that plugins made for it drive this avatar.

Source of names, numbers and errors: the specification in DenchiSoft/VTubeStudio, API 1.0.
"""
