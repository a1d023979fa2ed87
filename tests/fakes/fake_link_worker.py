"""A worker's end of the link, as a program: PROBLEM KIND SECONDS. Starts so, and answers that kind so slowly."""

import json
import os
import socket
import sys
import time


def main(problem: str, slow: str, seconds: float) -> None:
    with socket.socket(fileno=int(os.environ["OUTPOST_GATEWAY_WORKER_LINK"])) as link, link.makefile("r") as lines:
        for line in lines:
            message = json.loads(line)
            if message["kind"] == slow:
                time.sleep(seconds)
            answer = {"kind": message["kind"], "id": message["id"], "problem": problem}
            answer |= {"preprocessing": {"path": "cpu", "reason": ""}}
            link.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
