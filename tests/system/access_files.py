"""Certificates and tokens as an operator would put them there."""

from pathlib import Path

import trustme

TOKEN = "the-token-of-this-test"
BEARER = {"authorization": f"Bearer {TOKEN}"}


def make_access_files(folder: Path) -> Path:
    """The authority's certificate; beside it those of the server (for this machine), and the tokens."""
    made = trustme.CA()
    issued = made.issue_cert("localhost", "127.0.0.1")
    made.cert_pem.write_to_path(str(folder / "authority.pem"))
    issued.private_key_pem.write_to_path(str(folder / "server.key"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "server.crt"))
    (folder / "tokens").write_text(f"{TOKEN}\n")
    return folder / "authority.pem"
