"""Certificates of a script's own authority: what openssl makes of two lines."""

import os
import ssl
import subprocess

from cases import Fail


class Certs:
    """A certification authority in a folder."""

    def __init__(self, folder):
        self.dir = folder
        self.run("ca", "-addext", "basicConstraints=critical,CA:TRUE")
        self.run("other-ca", "-addext", "basicConstraints=critical,CA:TRUE")

    def run(self, name, *more):
        """openssl req: a key and a certificate."""
        p = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                            f"/CN={name}", "-keyout", self.path(name, "key"), "-out", self.path(name), *more], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if p.returncode:
            raise Fail(f"openssl: {p.stderr}")

    def path(self, name, ext="pem"):
        """Where it is."""
        return os.path.join(self.dir, f"{name}.{ext}")

    def make(self, name, *domains, ca="ca", ips=()):
        """A certificate for these SIP domains (RFC 5922 §7.1: URI and DNS names) and addresses."""
        names = ",".join([f"URI:sip:{d},DNS:{d}" for d in domains] + [f"IP:{a}" for a in ips])
        self.run(name, "-CA", self.path(ca), "-CAkey", self.path(ca, "key"), "-addext", f"subjectAltName={names}", "-addext",
                 "basicConstraints=critical,CA:FALSE")

    def client(self, name=None, version=None, ca="ca"):
        """A context of one who connects; with a certificate of that name."""
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.load_verify_locations(self.path(ca))
        if version:
            c.minimum_version = c.maximum_version = version
        if name:
            c.load_cert_chain(self.path(name), self.path(name, "key"))
        return c

    def server(self, name):
        """A context of one who is called."""
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.path(name), self.path(name, "key"))
        return c
