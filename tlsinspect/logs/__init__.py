"""The logs of Google's sync tools for Windows, read: from files to `Logged`, and from that to an `Observation`.

Everything in a log is text that anybody can have written, and is taken for no more than that. Files are opened here,
sockets are not.
"""
