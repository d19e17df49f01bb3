"""Run the command line: ``python -m vtbridge``."""

from vtbridge.cli import main

if __name__ == "__main__":
    main()
