"""Print what CHANGELOG.md says of the version that a tag names: ``.ci/release_notes.py v1.2.3``.

Ends with an error if the tag is not ``v`` and ``vtbridge.__version__``, or if the changelog has no
such section: a release is then not made. Needs nothing but Python.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[?([^\s\]]+)\]?.*$", re.MULTILINE)
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


def sections(changelog: str) -> dict[str, str]:
    """Return the text of each version, newest first; of several of a name the first."""
    headings = list(_HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    found: dict[str, str] = {}
    for heading, end in zip(headings, ends, strict=True):
        found.setdefault(heading[1], changelog[heading.end() : end].strip())
    return found


def release_notes(tag: str, version: str, changelog: str) -> str:
    """Return the section of ``version``.

    Raises:
        ValueError: ``tag`` is another version, or the section is missing or empty.
    """
    if tag != f"v{version}":
        raise ValueError(f"the tag {tag} is not v{version}, which vtbridge/__init__.py tells")
    if text := sections(changelog).get(version):
        return text
    raise ValueError(
        f'CHANGELOG.md says nothing of {version}: name the section "## {UNRELEASED}" '
        f'"## {version} - DATE" and tag that commit'
    )


def version_of(source: str) -> str:
    """Return what vtbridge/__init__.py assigns to ``__version__``, without importing it.

    Raises:
        ValueError: it assigns no literal.
    """
    if found := _VERSION.search(source):
        return found[1]
    raise ValueError('vtbridge/__init__.py has no line __version__ = "..."')


def main() -> None:
    """Print the notes of the tag on the command line, or say why there is no release."""
    try:
        version = version_of(REPOSITORY.joinpath("vtbridge", "__init__.py").read_text("utf-8"))
        changelog = REPOSITORY.joinpath("CHANGELOG.md").read_text("utf-8")
        print(release_notes(sys.argv[1], version, changelog))
    except ValueError as error:
        raise SystemExit(f"no release: {error}") from error


if __name__ == "__main__":
    main()
