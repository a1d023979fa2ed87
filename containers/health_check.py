"""Exit code 0 while an address answers 200. Plain sockets: it is run every few seconds, and imports cost most."""

import socket
import sys

TIMEOUT_SECONDS = 3.0
_LONGEST_ANSWER_BYTES = 4096


def problem(port: int, path: str) -> str:
    """What ``GET path`` on loopback says when it is not answered with 200; else nothing."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        while len(answer) < _LONGEST_ANSWER_BYTES and (part := connection.recv(_LONGEST_ANSWER_BYTES)):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    first_line = head.split(b"\r\n", 1)[0]
    return "" if b" 200 " in first_line else f"{first_line.decode(errors='replace')}: {body.decode(errors='replace')}"


def main(port: int, path: str) -> str:
    """``problem``, also where nobody answers."""
    try:
        return problem(port, path)
    except OSError as error:
        return f"port {port} does not answer: {error}"


if __name__ == "__main__":
    found = main(int(sys.argv[1]), sys.argv[2])
    print(found, end="")
    sys.exit(bool(found))
