"""The lab: a network of its own, in which the unmodified command meets the real host names and real proxies.

It needs Linux with user namespaces (or root), and on Debian or Ubuntu::

    apt-get install --no-install-recommends nginx-light squid-openssl tinyproxy faketime \\
        iptables iproute2 util-linux openssl
    python3 -m venv TOOLS && TOOLS/bin/pip install mitmproxy==11.0.2 proxy.py==2.4.10
    TLSINSPECT_LAB_TOOLS=TOOLS/bin pytest -m lab

mitmproxy has an environment of its own because it pins an older cryptography. The services need not run, and nothing
they have configured is used. `network` makes the machines, `pki` the certificates, `programs` starts what runs there;
`revocation_server` is the one program that can be told to lie. `command` is the command under test. `test_network` and
`test_port80` judge the lab itself; `test_scan_lab`, `test_revocation_lab`, `test_clock_lab` and `test_stores_lab` the
command.
"""
