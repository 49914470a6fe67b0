"""Run the command line with ``python -m staffcast``."""

from staffcast.cli import main

if __name__ == "__main__":
    main()
