"""Live servers whose certificates are right in every respect but one: what decides is who signed, and for whom.

Judged as Google (`scan_as_google`), so that no stand-in lowers the confidence.
"""

from collections.abc import Mapping, Sequence

import pytest

from .command import Command, Result
from .network import TLS_HOSTS, Network, Peculiar
from .pki import COPIES, CUSTOMER_NAME, PUBLIC_NAME, SIBLING_NAME, Impostor, Pki

pytestmark = pytest.mark.lab

ALONE = "www.google.com"
CERTAIN = dict.fromkeys(TLS_HOSTS, "certain")


@pytest.fixture
def meet(scan_as_google: Command, network: Network, impostor_ports: Mapping[Impostor, int]) -> "Meeting":
    return Meeting(scan_as_google, network, impostor_ports)


class Meeting:
    """A scan in which an impostor answers for some hosts."""

    def __init__(self, scan: Command, network: Network, ports: Mapping[Impostor, int]) -> None:
        self._scan, self._network, self._ports = scan, network, ports

    def __call__(self, impostor: Impostor, *hosts: str, options: Sequence[str] = ()) -> Result:
        with self._network.redirect(self._ports[impostor], hosts=hosts or TLS_HOSTS):
            return self._scan(*options)


# -- copies of Google's certificates -----------------------------------------------------------------------------------


@pytest.mark.parametrize("copy", COPIES)
def test_a_faithful_copy_is_an_impersonation(meet: Meeting, copy: Impostor) -> None:
    result = meet(copy)
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "intercepted")
    assert result.confidences == CERTAIN
    assert result.rules == dict.fromkeys(TLS_HOSTS, "issuer-impersonated")
    assert result.status == 1
    for host in TLS_HOSTS:
        finding = result.finding(host, "issuer-impersonated")
        assert finding
        assert (finding["severity"], finding["kind"]) == ("critical", "proof")
        assert '"WR2"' in result.assessments[host]["explanation"]
        assert result.attribution(host) is None
        assert "incident response" in result.assessments[host]["remedy"]
    assert set(result.conclusions) >= {"all-intercepted"}


@pytest.mark.parametrize("copy", [Impostor.COPY, Impostor.COPY_WITH_OWN_KEY_IDS])
def test_a_forger_s_intermediate_signs_for_unrelated_hosts(meet: Meeting, copy: Impostor) -> None:
    result = meet(copy)
    assert all(result.finding(host, "same-issuing-key-many-hosts") for host in TLS_HOSTS)


def test_the_only_forged_host_is_told_from_the_genuine_ones(meet: Meeting) -> None:
    result = meet(Impostor.COPY_BEFORE_GENUINE, ALONE)
    assert result.verdicts == {**dict.fromkeys(TLS_HOSTS, "genuine"), ALONE: "intercepted"}
    assert result.confidences == CERTAIN
    assert result.conclusions["selective-interception"]["values"]["hosts"] == ALONE


def test_a_copy_that_the_operating_system_trusts_is_an_impersonation_all_the_same(
    meet: Meeting, network: Network, pki: Pki
) -> None:
    with network.os_trusts(pki.chain(Impostor.COPY.stem(ALONE))):
        result = meet(Impostor.COPY)
    assert result.rules == dict.fromkeys(TLS_HOSTS, "issuer-impersonated")
    assert result.confidences == CERTAIN


def test_a_copy_in_the_name_of_an_intermediate_of_which_no_release_has_heard(meet: Meeting) -> None:
    """Its certificate is fetched where Google keeps it, and its key did not sign. Without it nobody can say that."""
    host = str(Peculiar.ALONE)
    told, offline = (
        meet(Impostor.COPY_ALONE, host, options=[host]),
        meet(Impostor.COPY_ALONE, host, options=[host, "--offline"]),
    )
    assert offline.rules == {host: "unknown-intermediate"}
    assert offline.verdicts == {host: "inconclusive"}
    assert told.rules == {host: "issuer-impersonated"}
    assert told.verdicts == {host: "intercepted"}
    assert told.confidences == {host: "certain"}


def test_what_a_copy_says_is_what_the_genuine_certificate_says(pki: Pki) -> None:
    """So that the tests above are about a faithful one."""
    for host in TLS_HOSTS:
        copy, genuine = pki.leaf(Impostor.COPY.stem(host)), pki.leaf(host)
        assert (copy.subject, copy.issuer, copy.serial_number) == (
            genuine.subject,
            genuine.issuer,
            genuine.serial_number,
        )
        assert copy.not_valid_before_utc == genuine.not_valid_before_utc
        assert copy.not_valid_after_utc == genuine.not_valid_after_utc
        assert list(copy.extensions) == list(genuine.extensions)
        assert copy.public_key() != genuine.public_key()


# -- signed by a public authority --------------------------------------------------------------------------------------


def test_googles_signature_on_somebody_else_s_name_is_the_wrong_host(meet: Meeting) -> None:
    result = meet(Impostor.CUSTOMER)
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "wrong-host")
    assert result.confidences == CERTAIN
    assert result.status == 1
    for host in TLS_HOSTS:
        assert CUSTOMER_NAME in result.assessments[host]["explanation"]
        assert not result.codes(host) & {"other-google-name", "not-google"}


def test_googles_signature_on_another_name_of_its_own_is_the_wrong_host(meet: Meeting) -> None:
    result = meet(Impostor.SIBLING)
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "wrong-host")
    for host in TLS_HOSTS:
        finding = result.finding(host, "other-google-name")
        assert finding
        assert SIBLING_NAME in finding["values"]["names"]
        assert "not-google" not in result.codes(host)


def test_another_public_authority_is_unexpected(meet: Meeting) -> None:
    result = meet(Impostor.PUBLIC)
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "unexpected-ca")
    assert result.confidences == CERTAIN
    assert result.status == 1
    for host in TLS_HOSTS:
        assert PUBLIC_NAME in result.assessments[host]["explanation"]
        assert result.attribution(host) is None
    assert not {"all-intercepted", "selective-interception"} & set(result.conclusions)


def test_without_that_authority_among_the_public_ones_it_is_interception(
    scan: Command, network: Network, impostor_ports: Mapping[Impostor, int]
) -> None:
    with network.redirect(impostor_ports[Impostor.PUBLIC]):
        result = scan()
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "intercepted")
    assert result.rules == dict.fromkeys(TLS_HOSTS, "intercepted")
