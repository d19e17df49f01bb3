"""Read the terms that lie beside a model, as people who give models away write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MAX_CHARACTERS = 4000
"""Length of what is kept of the terms found with a model."""
_MAX_FILES = 8
_NAMES = (
    "readme",
    "license",
    "licence",
    "terms",
    "りどみ",
    "利用規約",
    "規約",
    "ライセンス",
    "お読み",
)


def licence_of(stated: Sequence[str], model: Path) -> str:
    """Return what a file states of its terms, then the text files beside it, ``""`` if none.

    Args:
        stated: what the model's own file says.
        model: its file; a readme comes before other text files.
    """
    parts = [text.strip() for text in stated if text.strip()]
    length = sum(map(len, parts))
    for path in _texts_beside(model)[:_MAX_FILES]:
        if length >= MAX_CHARACTERS:
            break
        try:
            with path.open("rb") as file:
                text = decoded(file.read(4 * MAX_CHARACTERS)).strip()
        except OSError:  # what cannot be read tells nothing; the scan shows what was found
            continue
        parts.append(f"{path.name}:\n{text}")
        length += len(text)
    return "\n\n".join(parts)[:MAX_CHARACTERS]


def decoded(content: bytes) -> str:
    """Return text in UTF-8, UTF-16 or Shift-JIS; ``content`` may end within a character."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    # Four bytes less cannot cut a character off: a cut must not make UTF-8 look like Shift-JIS.
    for end in range(len(content), max(len(content) - 4, 0), -1):
        try:
            return content[:end].decode("utf-8")
        except UnicodeDecodeError:
            continue
    return content.decode("cp932", errors="replace")


def _texts_beside(model: Path) -> list[Path]:
    try:
        texts = [path for path in model.parent.iterdir() if path.suffix.lower() == ".txt"]
    except OSError:
        return []
    return sorted(
        (path for path in texts if path.is_file() and not path.is_symlink()),
        key=lambda path: (not any(name in path.name.lower() for name in _NAMES), path.name),
    )
