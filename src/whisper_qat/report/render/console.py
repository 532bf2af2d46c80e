"""The terminal for tables; a file or pipe is wide enough that rich folds nothing to 80 columns."""

from rich.console import Console

WIDTH = 220


def wide_console() -> Console:
    """Standard output; in a file or pipe WIDTH columns wide."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)
