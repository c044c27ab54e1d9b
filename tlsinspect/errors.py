"""What can go wrong by the caller's doing.

    TlsinspectError
    ├── UsageError         an argument, a target or an option makes no sense
    │   └── ProfileError   a profile file cannot be read as one
    └── TrustDataError     the trust data is missing, empty, altered or not what it says

What goes wrong on the network is never an exception: it is an `Observation` with a `Failure` in it.
"""


class TlsinspectError(Exception):
    """Its text is one sentence for the person at the terminal: what happened, why, what to do."""


class UsageError(TlsinspectError):
    """An argument makes no sense; the command line ends with status 2."""


class ProfileError(UsageError):
    """A profile file cannot be read, or holds a key nobody knows."""


class TrustDataError(TlsinspectError):
    """Trust data is missing, empty or altered. There is no fall-back: without roots there is no verdict."""
