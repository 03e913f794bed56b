"""Certificates made in a test: one for 127.0.0.1 that nobody else has signed, or an authority's."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


def certificate(folder: Path) -> ssl.SSLContext:
    """Return the side of a server whose certificate is ``own.pem`` in a folder, made here."""
    own = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=camera"]
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "own.pem")]
    subprocess.run(["openssl", *own, *name, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "key.pem")
    return context


class Authority:
    """Signs certificates; its own is ``ca.pem`` in a folder, and all it makes lies beside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ca.pem"
        own: list[str | Path] = ["-x509", "-days", "2", "-subj", "/CN=authority", "-out", self.file]
        self._openssl("req", *_NEW_KEY, *own, "-keyout", folder / "ca.key")

    def sign(self, name: str, subject: str = "IP:127.0.0.1", days: int = 2) -> tuple[Path, Path]:
        """Return the files of a new certificate and its key; of -1 days it has expired.

        Args:
            name: of the files.
            subject: what it is for, as OpenSSL writes it: ``DNS:redis.lan``.
            days: how long it is valid.
        """
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        extensions.write_text(f"subjectAltName={subject}")
        self._openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        by: list[str | Path] = [
            "-CA",
            self.file,
            "-CAkey",
            self.folder / "ca.key",
            "-CAcreateserial",
        ]
        what: list[str | Path] = [
            "-in",
            request,
            "-extfile",
            extensions,
            "-days",
            str(days),
            "-out",
            certificate,
        ]
        self._openssl("x509", "-req", *by, *what)
        return certificate, key

    def _openssl(self, *arguments: str | Path) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
