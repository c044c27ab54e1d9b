"""What observations prove or suggest. Pure functions: no socket, no clock, no file is opened here."""
