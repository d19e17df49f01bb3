"""Find a character by the name a user types: built in, fetched, a package's folder, or a path."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from vtbridge.characters.package import load_from_folder
from vtbridge.characters.picture import load_picture
from vtbridge.datatypes import Picture
from vtbridge.errors import PictureError

MASCOT = "michi"
"""The character that comes with vtbridge and is used where none is chosen."""

BUILTIN: Mapping[str, Path] = MappingProxyType(
    {
        name: Path(__file__).parent / "builtin" / f"{name}.png"
        for name in (MASCOT, "momo", "ren", "sumi", "yuki")
    }
)
"""Characters shipped in the package, by name."""

CREDITS: Mapping[str, str] = MappingProxyType(
    {
        "michi": "Michi (c) the vtbridge authors, CC BY-SA 4.0 or GPL-3.0-or-later",
        "momo": "Momo (c) the vtbridge authors, CC BY-SA 4.0 or GPL-3.0-or-later",
        "ren": "Ren (c) the vtbridge authors, CC BY-SA 4.0 or GPL-3.0-or-later",
        "sumi": "Sumi (c) the vtbridge authors, CC BY-SA 4.0 or GPL-3.0-or-later",
        "yuki": "Yuki (c) the vtbridge authors, CC BY-SA 4.0 or GPL-3.0-or-later",
        "lambda": "lambda_00 (c) Pramook Khungurn, drawn by garun, CC BY-NC 4.0",
    }
)
"""The line that has to be shown with a character, by name."""

_NOTHING: Mapping[str, Path] = MappingProxyType({})


def find_picture(name_or_path: str, *, extra: Mapping[str, Path] = _NOTHING) -> Picture:
    """Return the picture of a character.

    A known name wins over a file of the same name; write ``./michi`` for the file.

    Args:
        name_or_path: the name of a built-in character, a key of ``extra``, or the path of a
            picture, of a character package, or of a folder with one picture in it.
        extra: fetched characters by name, such as ``{"lambda": path}``; the caller knows
            where they lie.

    Raises:
        PictureError: no such character or file, or the picture cannot be used.
    """
    known = {**extra, **BUILTIN}
    name = name_or_path.lower()
    if name in known:
        path = known[name]
        if not path.is_file():
            raise PictureError(f"the picture of {name!r} is missing at {path}. Fetch it again")
        return load_picture(path, name=name, credit=CREDITS.get(name, ""))
    path = Path(name_or_path)
    if path.is_dir():
        return load_from_folder(path)
    if path.is_absolute() or path.suffix or len(path.parts) > 1 or path.exists():
        return load_picture(path)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise PictureError(
        f"no character is called {name_or_path!r}.{hint} Known names: "
        f"{', '.join(sorted(known))}; or give the path of a PNG"
    )
