"""What a build tells while it is made, and of what became of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


@contextmanager
def told_progress(steps: int) -> Iterator[Callable[[str], None]]:
    """A progress bar and a line for each step on standard error.

    Args:
        steps: How often about it will be told something.

    Yields:
        What is told each step.
    """
    console = Console(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=steps)

        def report(text: str) -> None:
            console.print(text, highlight=False, markup=False)
            progress.update(bar, description=text, advance=1)

        yield report


def tell_build(directory: Path, chosen: str, reason: str, caveats: Sequence[str]) -> None:
    """One line on standard output for a build that was written, and one for each thing that was not shown of it."""
    size_bytes = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    print(f"{directory}: {chosen}, {size_bytes / 1e6:.2f} MB; {reason}")
    for caveat in caveats:
        print(f"  not shown: {caveat}")
