"""Which certificates a CRL is for: its issuing distribution point (RFC 5280 §5.2.5) beside the points a certificate
names (§4.2.1.13)."""

from collections.abc import Iterable

from cryptography import x509

from tlsinspect.certificate import REFUSALS, Certificate, Name, extension, folded, name_from

Point = tuple[type[x509.GeneralName], object]  # one name of a distribution point, made comparable


def is_of_attributes(scope: x509.IssuingDistributionPoint | None) -> bool:
    """Attribute certificates have serial numbers of their own (RFC 5755 §4.2.5)."""
    return scope is not None and scope.only_contains_attribute_certs


def covers(scope: x509.IssuingDistributionPoint | None, issuer: Name, certificate: Certificate) -> bool:
    """Whether every revocation of `certificate` would stand in a complete CRL of this scope (RFC 5280 §6.3.3 (b) to
    (e)). Raises one of REFUSALS."""
    if scope is None:
        return True
    partial = scope.indirect_crl or scope.only_some_reasons is not None or scope.only_contains_attribute_certs
    other_kind = scope.only_contains_user_certs if certificate.is_ca else scope.only_contains_ca_certs
    if partial or other_kind:
        return False
    if scope.full_name is None and scope.relative_name is None:
        return True
    return bool(_points(scope, issuer) & _points_of(certificate))


def _points_of(certificate: Certificate) -> set[Point]:
    """The names of the distribution points where all of a certificate's revocations are to be found. One of them always
    is the issuer itself: RFC 5280 §6.3.3, at its end."""
    found: set[Point] = {(x509.DirectoryName, folded(certificate.issuer))}
    try:
        points = extension(certificate.handle, x509.CRLDistributionPoints) if certificate.handle else None
    except REFUSALS:
        return found
    return found.union(*(_points(p, certificate.issuer) for p in points or () if _is_whole(p, certificate.issuer)))


def _is_whole(point: x509.DistributionPoint, issuer: Name) -> bool:
    """Not where some reasons only are published, nor where the CRLs of somebody else lie."""
    own = (x509.DirectoryName, folded(issuer))
    return point.reasons is None and (not point.crl_issuer or own in _comparable(point.crl_issuer))


def _points(named: x509.DistributionPoint | x509.IssuingDistributionPoint, issuer: Name) -> set[Point]:
    """Its full names, or the one name that is relative to the issuer's."""
    if named.relative_name is not None:
        relative = name_from(x509.Name([named.relative_name]).public_bytes())
        return {(x509.DirectoryName, folded(issuer + relative))}
    return _comparable(named.full_name)


def _comparable(names: Iterable[x509.GeneralName] | None) -> set[Point]:
    return {
        (type(n), folded(name_from(n.value.public_bytes())) if isinstance(n, x509.DirectoryName) else n.value)
        for n in names or ()
    }
