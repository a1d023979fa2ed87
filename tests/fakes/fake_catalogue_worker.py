"""A worker, as a program: FILE WHAT... Does WHAT with one catalogue after the other, and takes all later ones.

"take" puts one in force, "refuse" says that Triton is away, "miss" says nothing. FILE gets a line for each catalogue.
"""

import json
import os
import socket
import sys
from pathlib import Path


def main(file: Path, *does: str) -> None:
    catalogues = iter(does)
    with socket.socket(fileno=int(os.environ["OUTPOST_GATEWAY_WORKER_LINK"])) as link, link.makefile("r") as lines:
        for line in lines:
            message = json.loads(line)
            what = next(catalogues, "take") if message["kind"] == "catalogue" else "take"
            if message["kind"] == "catalogue":
                with file.open("a") as given:
                    given.write(f"{what} {message['catalogue']['generation']}\n")
            answer = {"kind": message["kind"], "id": message["id"], "preprocessing": {"path": "cpu", "reason": ""}}
            answer["problem"] = "Triton is away" if what == "refuse" else ""
            if what != "miss":
                link.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
