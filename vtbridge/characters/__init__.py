"""Characters: safe loading of pictures, checks against THA3's specification, built-ins."""

from vtbridge.characters.decode import MAX_FILE_BYTES, MAX_SIDE
from vtbridge.characters.find import BUILTIN, CREDITS, MASCOT, find_picture
from vtbridge.characters.package import (
    is_package,
    load_from_folder,
    picture_in,
    write_package,
)
from vtbridge.characters.picture import inspect_picture, load_picture
from vtbridge.characters.specification import Finding, Severity, check_picture

__all__ = [
    "BUILTIN",
    "CREDITS",
    "MASCOT",
    "MAX_FILE_BYTES",
    "MAX_SIDE",
    "Finding",
    "Severity",
    "check_picture",
    "find_picture",
    "inspect_picture",
    "is_package",
    "load_from_folder",
    "load_picture",
    "picture_in",
    "write_package",
]
