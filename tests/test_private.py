"""Addresses inside networks and e-mail addresses are known by their looks, and nothing else is taken for one."""

import pytest

from tlsinspect.private import without_addresses


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.0.1", "172.16.9.9", "100.64.0.1", "fe80::1", "fd00:1::"])
@pytest.mark.parametrize("text", ["{}", "at {}.", "({}), then", "{}/8"])
def test_private_addresses_go(address: str, text: str) -> None:
    assert without_addresses(text.format(address)) == text.format("<private-address>")


def test_a_port_may_follow() -> None:
    assert without_addresses("http://10.1.2.3:3128") == "http://<private-address>:3128"
    assert without_addresses("[fd00::1]:443") == "[<private-address>]:443"


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8:53", "127.0.0.1:8888", "::1", "0.0.0.0", "OpenSSL 3.0.19", "12:30:45", "10.1.2.3.4.example", "a:b:c"],
)
def test_other_numbers_stay(text: str) -> None:
    assert without_addresses(text) == text


@pytest.mark.parametrize("text", ["jdoe@acme.example", "jdoe@<the-proxy>", "j.doe+x@mail.acme.example"])
def test_mail_addresses_go(text: str) -> None:
    assert without_addresses(f"of {text}, or") == "of <e-mail>, or"


def test_what_was_hidden_before_a_host_is_none() -> None:
    assert without_addresses("http://…@proxy.acme.example:1") == "http://…@proxy.acme.example:1"
