"""What the operating system says of its own clock: a hint and no more, for whoever sets the clock sets this too."""

import ctypes
import sys

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def synchronised() -> bool | None:
    """Whether the kernel holds its clock for synchronised; None where this is not known how to ask (not Linux)."""
    if sys.platform != "linux":
        return None
    try:
        # struct timex, larger than any kernel's; all zeros asks and changes nothing.
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(1024))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)
