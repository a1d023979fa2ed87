"""The certificate that the HTTP and gRPC listeners show."""

import logging
import ssl
from pathlib import Path

import grpc

from gateway.file_stamp import stamp_of
from gateway.start_errors import SecretUnusable

_LOG = logging.getLogger(__name__)
_PURPOSE = ssl.Purpose.CLIENT_AUTH


class ServerCertificate:
    """A certificate chain and its key, as PEM files; replaced files are shown to the connections that come after.

    While the new files are unusable, for example because only one of the two was replaced yet, the old ones stay.

    Args:
        certificate: Chain, the server's own first.
        key: Without a password.

    Raises:
        SecretUnusable: A file cannot be read, is no PEM, or the key belongs to another certificate.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        # before they are read: what is replaced meanwhile is then seen as changed
        self._http_stamp = self._grpc_stamp = stamp_of(certificate, key)
        self._current = self._load()

    def http_context(self) -> ssl.SSLContext:
        """For a listener of HTTP; TLS 1.2 or newer."""
        context = self._load()
        context.sni_callback = self._choose
        return context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a listener of gRPC."""
        first = self._grpc_configuration()
        return grpc.dynamic_ssl_server_credentials(first, self._changed_grpc_configuration)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called by each handshake, also of a client that names no server."""
        stamp = stamp_of(self._certificate, self._key)
        if stamp != self._http_stamp:
            self._http_stamp = stamp
            self._current = self._loaded_again() or self._current
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(_PURPOSE)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            for path, setting in ((self._certificate, "tls_certificate"), (self._key, "tls_key")):
                _require_readable(path, setting)
            context.load_cert_chain(self._certificate, self._key, password="")
        except ssl.SSLError as error:
            problem = f"the key is not that of the certificate, or one of them is no PEM file ({error.reason or error})"
            raise SecretUnusable("tls_certificate", self._certificate, problem) from error
        return context

    def _grpc_configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(self._key.read_bytes(), self._certificate.read_bytes())])

    def _changed_grpc_configuration(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by each handshake; None leaves the certificate as it is."""
        stamp = stamp_of(self._certificate, self._key)
        if stamp == self._grpc_stamp:
            return None
        self._grpc_stamp = stamp
        return self._grpc_configuration() if self._loaded_again() else None

    def _loaded_again(self) -> ssl.SSLContext | None:
        try:
            context = self._load()
        except SecretUnusable as error:
            _LOG.warning("the changed certificate is unusable, the old one stays", extra={"reason": str(error)})
            return None
        _LOG.info("certificate read again", extra={"path": str(self._certificate)})
        return context


def _require_readable(path: Path, setting: str) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise SecretUnusable(setting, path, error.strerror or str(error)) from error
