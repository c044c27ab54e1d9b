"""What an observation's `slice` says of how the endpoint was asked, where that was otherwise than usual."""

from enum import StrEnum


class Asked(StrEnum):
    """Beside these there is one for each address of a host: see observe/slices.py."""

    TLS_1_2 = "tls1.2"
    TLS_1_3 = "tls1.3"
    RSA = "rsa"
    ECDSA = "ecdsa"
    NO_SNI = "no-sni"
    H2 = "h2"
    # Active probes alone:
    RANDOM_SNI = "random-sni"
    NO_SUCH_HOST = "no-such-host"
    LARGE_HELLO = "large-hello"
    SMALL_HELLO = "small-hello"
