"""One caller of the gateway: a connection that is kept open, one frame at a time, as a camera sends them."""

import http.client
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_compiler.evaluation.errors import FrameNotAnswered, GatewayFailed

_OK = 200
_TIMEOUT_SECONDS = 60.0
_RAW_PICTURE = {"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"}


class GatewayClient:
    """Sends frames to an alias over HTTP.

    Args:
        address: ``host:port``.
        alias: What answers.
    """

    def __init__(self, address: str, alias: str) -> None:
        self._alias = alias
        self._path = f"/v2/models/{alias}/infer"
        self._connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)

    def ask(self, frame: bytes, name: str) -> bytes:
        """Send a frame as users do, with the thresholds of the card; returns the answer unread.

        Args:
            frame: Encoded picture.
            name: Of the frame, for errors.

        Raises:
            FrameNotAnswered: It was refused.
            GatewayFailed: Nobody answers.
        """
        return self._post(frame, _RAW_PICTURE, name)

    def detections(self, frame: bytes, name: str, lowest_score: float) -> NDArray[np.float32]:
        """Everything found from a score on.

        Returns:
            (K, 6) rows of x1, y1, x2, y2 in pixels of the frame, score, class; best score first.

        Raises:
            FrameNotAnswered: It was refused, or the build is no detector.
            GatewayFailed: Nobody answers.
        """
        outputs = self._outputs(frame, name, ("boxes", "scores", "classes"), {"outpost_threshold": lowest_score})
        boxes = self._tensor(outputs, "boxes", name).reshape(-1, 4)
        columns = [boxes, *(self._tensor(outputs, key, name).reshape(-1, 1) for key in ("scores", "classes"))]
        rows = np.concatenate(columns, axis=1).astype(np.float32)
        rows = rows[rows[:, 5] >= 0]
        return np.asarray(rows[np.argsort(-rows[:, 4], kind="stable")], np.float32)

    def probabilities(self, frame: bytes, name: str) -> NDArray[np.float64]:
        """One probability for each label, (C,).

        Raises:
            FrameNotAnswered: It was refused, or the build is no classifier.
            GatewayFailed: Nobody answers.
        """
        return self._tensor(self._outputs(frame, name, ("probabilities",), {}), "probabilities", name).reshape(-1)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _outputs(
        self, frame: bytes, name: str, outputs: Sequence[str], parameters: dict[str, float]
    ) -> dict[str, list[Any]]:
        size = {"binary_data_size": 4 + len(frame)}
        request = {
            "inputs": [{"name": "images", "datatype": "BYTES", "shape": [1], "parameters": size}],
            "outputs": [{"name": output} for output in outputs],
            "parameters": {"binary_data_output": False, **parameters},
        }
        header = json.dumps(request).encode()
        body = header + len(frame).to_bytes(4, "little") + frame
        answer = json.loads(self._post(body, {"Inference-Header-Content-Length": str(len(header))}, name))
        return {output["name"]: output["data"] for output in answer["outputs"]}

    def _tensor(self, outputs: dict[str, list[Any]], key: str, frame: str) -> NDArray[np.float64]:
        if key not in outputs:
            raise FrameNotAnswered(self._alias, frame, f"no output {key!r}, only {', '.join(sorted(outputs))}")
        return np.asarray(outputs[key], np.float64)

    def _post(self, body: bytes, headers: dict[str, str], name: str) -> bytes:
        try:
            self._connection.request("POST", self._path, body, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise GatewayFailed(f"no answer to frame {name}: {error}", "") from error
        if response.status != _OK:
            raise FrameNotAnswered(self._alias, name, f"HTTP {response.status}: {_error_of(answer)}")
        return answer


def _error_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace") or "no reason given"
