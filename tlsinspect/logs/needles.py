NEEDLES = (b"Status: 0x", b"Error ", b"0x80", b" 407", b"roxy")


def holds_any(block: bytes) -> bool:
    return any(n in block for n in NEEDLES)


def line_count(block: bytes) -> int:
    return block.count(b"\n") + (not block.endswith(b"\n"))
