"""Run the command line: ``python -m vtbridge``."""

from vtbridge.cli.main import main

if __name__ == "__main__":
    main()
