"""The console for tables; in a file or pipe it is so wide that rich folds nothing."""

from rich.console import Console

WIDTH = 220


def wide_console() -> Console:
    """Standard output as a console, WIDTH columns wide if it is a file or pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)
