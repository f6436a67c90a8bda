"""Certificates for a test process, made when the first test asks for them: an authority, and who it vouches for."""

import functools
import pathlib
import subprocess
import tempfile

# Everything of a test is at this address, under this name.
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


class Papers:
    def __init__(self):
        # It is removed when the process ends.
        self._kept = tempfile.TemporaryDirectory(prefix="blackbox-papers-")
        # Mosquitto gives up its rights before it reads them.
        self.folder = pathlib.Path(self._kept.name)
        self.folder.chmod(0o755)
        self.ca = self.folder / "ca.pem"
        self._openssl("req", "-x509", *self._new("ca"), "-subj", "/CN=blackbox", "-days", "2", "-out", self.ca)
        self.certificate, self.key = self.vouch("server", "server", NAMES)
        self.device = self.vouch("device", "meter-77", "extendedKeyUsage=clientAuth")

    def vouch(self, name, common_name, extension):
        """A certificate with its key: their paths."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(extension + "\n")
        self._openssl("req", *self._new(name), "-subj", f"/CN={common_name}", "-out", request)
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", extensions, "-out", certificate,
        )
        key.chmod(0o644)
        return certificate, key

    def _new(self, name):
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        return [*curve, "-nodes", "-keyout", self.folder / f"{name}.key"]

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@functools.cache
def papers() -> Papers:
    return Papers()
