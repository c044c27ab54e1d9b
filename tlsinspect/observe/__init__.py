"""The network: connect, shake hands with verification off, keep everything, judge nothing."""
