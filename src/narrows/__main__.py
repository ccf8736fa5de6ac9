"""``python -m narrows`` and the command ``narrows``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from narrows.cli import run

    run()


if __name__ == "__main__":
    main()
