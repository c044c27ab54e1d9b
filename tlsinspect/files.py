"""Reading files that people name: bounded, and with one sentence where it fails."""

import sys
from pathlib import Path

from tlsinspect.errors import UsageError

MAX_FILE = 16 * 1024 * 1024


def reason_of(error: Exception) -> str:
    """Why a file cannot be used, without its name."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def read_bytes(name: str | Path) -> bytes:
    """A file of at most MAX_FILE bytes; ``-`` is standard input. Raises UsageError."""
    shown = "standard input" if name == "-" else str(name)
    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        raise UsageError(f"{shown}: cannot be read ({reason_of(error)})") from None
    if len(content) > MAX_FILE:
        raise UsageError(f"{shown}: larger than {MAX_FILE // 1024 // 1024} MB")
    return content


def read_text(name: str | Path) -> str:
    """A text file in UTF-8, as `read_bytes`."""
    try:
        return read_bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{'standard input' if name == '-' else name}: not UTF-8 text") from None


def exists(path: Path) -> bool:
    """Whether there is such a file or folder; a name no file can have is none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
