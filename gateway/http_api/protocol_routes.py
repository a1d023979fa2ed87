"""The Open Inference Protocol over HTTP, with Triton's extensions. Handlers translate and delegate, nothing more."""

from collections.abc import Awaitable, Callable
from functools import partial

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.alias_metadata import (
    alias_config,
    alias_metadata,
    index_with_aliases,
    require_alias_version,
    server_metadata,
)
from gateway.alias_statistics import alias_statistics
from gateway.errors import BadRequest, NotSupported, UnknownModel
from gateway.http_api.codec import (
    ALL_BINARY,
    HEADER_LENGTH,
    DecodedRequest,
    EncodedResponse,
    OutputForm,
    decode_request,
    encode_response,
    json_bytes_of,
    parse_header_length,
    parse_json,
    raw_request,
    write_json,
)
from gateway.http_api.content_coding import MIN_COMPRESSED_BYTES, choose_coding, compress
from gateway.http_api.exchange import DisconnectWatch, Exchange, exchange_of, request_body
from gateway.http_api.large_bodies import LARGE_BYTES, LargeBodies
from gateway.http_api.ports import HttpPorts
from gateway.http_api.proto_json import index_to_json, to_json
from gateway.http_api.raw_input import deduce_raw_input
from gateway.inference.frame_request import FRAMES_INPUT
from gateway.messages import InferResponse
from gateway.oip import model_config_pb2, service_pb2

_HEADER_LENGTH_KEY = HEADER_LENGTH.lower().encode()
_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version:int}"
_CHOOSE_BUILDS = "the builds that serve are chosen in active.json"
_SEND_DATA = "send the tensors in the request; the gateway itself shares memory with Triton"
_WATCH_METRICS = "look at the metrics and the log of the gateway"

Handler = Callable[[Request], Awaitable[Response]]


class ProtocolRoutes:
    """Everything below ``/v2``.

    Args:
        ports: Collaborators.
        server_name: Triton's by default, which its clients expect.
    """

    def __init__(self, ports: HttpPorts, server_name: str = "triton") -> None:
        self._ports = ports
        self._server_name = server_name
        self._large = LargeBodies(ports.limits.body_timeout_seconds)

    def routes(self) -> list[Route]:
        """The busiest first: they are tried in this order."""
        table: list[tuple[str, str, Handler]] = [
            ("POST", f"{_MODEL}/infer", self.infer),
            ("POST", f"{_VERSION}/infer", self.infer),
            ("GET", "/v2/health/live", self.live),
            ("GET", "/v2/health/ready", self.ready),
            ("GET", "/v2", self.server),
            ("GET", "/v2/models/stats", self.statistics_of_all),
            ("POST", "/v2/repository/index", self.index),
            ("POST", "/v2/repository/{repository}/index", self.index),
        ]
        for prefix in (_MODEL, _VERSION):
            table += [
                ("GET", prefix, self.metadata),
                ("GET", f"{prefix}/ready", self.model_ready),
                ("GET", f"{prefix}/config", self.config),
                ("GET", f"{prefix}/stats", self.statistics),
            ]
        return [Route(path, handler, methods=[method]) for method, path, handler in table] + _refused_routes()

    async def infer(self, request: Request) -> Response:
        """One inference request."""
        ports, exchange = self._ports, exchange_of(request)
        exchange.model = ports.model_label(request.path_params["model"])
        body = await request_body(request, ports.limits)
        decoded = await self._decode(request, exchange, body)
        decoded_at = ports.clock()
        with DisconnectWatch(request.receive):
            answer = await ports.inference.infer(decoded.request)
        answered_at = ports.clock()
        exchange.build = str(answer.parameters.get("outpost_build", decoded.request.model))
        response = await self._encode(answer, decoded.form, exchange.header(b"accept-encoding"))
        if exchange.build != decoded.request.model:
            stage = ports.metrics.stage_seconds
            stage.labels(exchange.model, "read").observe(decoded_at - exchange.began_at)
            stage.labels(exchange.model, "encode").observe(ports.clock() - answered_at)
        return response

    async def _decode(self, request: Request, exchange: Exchange, body: bytes) -> DecodedRequest:
        model, version = _names(request)
        if self._ports.catalogue().is_alias(model):
            require_alias_version(model, version)
        header_length = parse_header_length(exchange.header(_HEADER_LENGTH_KEY), len(body))
        if header_length != 0:
            size = len(body) if header_length is None else header_length
            read = partial(decode_request, model, version, body, header_length, exchange.began_at)
            return await self._large.run(size, partial(read, yielding=size >= LARGE_BYTES), "read")
        if self._ports.catalogue().is_alias(model):
            return DecodedRequest(raw_request(model, version, FRAMES_INPUT, "BYTES", (1,), body), ALL_BINARY)
        config = await self._build_config(model, version)
        return DecodedRequest(raw_request(model, version, *deduce_raw_input(config, len(body)), body), ALL_BINARY)

    async def _encode(self, answer: InferResponse, form: OutputForm, accept_encoding: str | None) -> Response:
        json_bytes = json_bytes_of(answer, form)
        coding = None if accept_encoding is None else choose_coding(accept_encoding)
        compressed_bytes = 0 if coding is None else sum(len(tensor.data) for tensor in answer.outputs)

        def write() -> Response:
            return infer_response(encode_response(answer, form, yielding=json_bytes >= LARGE_BYTES), coding)

        return await self._large.run(max(json_bytes, compressed_bytes), write, "encode")

    async def server(self, _request: Request) -> Response:
        """Server metadata."""
        return _json_of(server_metadata(self._ports.catalogue().triton_version, self._server_name))

    async def live(self, _request: Request) -> Response:
        """The process answers."""
        return _json(b'{"live":true}')

    async def ready(self, _request: Request) -> Response:
        """Every alias would be answered."""
        ready = self._ports.catalogue().is_ready()
        return _json(write_json({"ready": ready}), 200 if ready else 503)

    async def model_ready(self, request: Request) -> Response:
        """An alias has a build that answers, or a build is loaded and alive."""
        model, version = _names(request)
        catalogue = self._ports.catalogue()
        if catalogue.is_alias(model):
            require_alias_version(model, version)
        self._require_known(model)
        ready = catalogue.name_is_ready(model)
        return _json(write_json({"name": model, "ready": ready}), 200 if ready else 503)

    async def metadata(self, request: Request) -> Response:
        """Inputs and outputs."""
        model, version = _names(request)
        catalogue = self._ports.catalogue()
        if catalogue.is_alias(model):
            require_alias_version(model, version)
            return _json_of(alias_metadata(model, catalogue))
        self._require_known(model)
        return _json_of(
            await self._call("ModelMetadata", service_pb2.ModelMetadataRequest(name=model, version=version))
        )

    async def config(self, request: Request) -> Response:
        """Triton's model config; for an alias one with labels and card."""
        model, version = _names(request)
        catalogue = self._ports.catalogue()
        if catalogue.is_alias(model):
            require_alias_version(model, version)
            return _json_of(alias_config(model, catalogue))
        return _json_of(await self._build_config(model, version))

    async def statistics(self, request: Request) -> Response:
        """Triton's statistics; for an alias those of the build that answers."""
        model, version = _names(request)
        catalogue = self._ports.catalogue()
        if not catalogue.is_alias(model):
            self._require_known(model)
            return _json_of(
                await self._call("ModelStatistics", service_pb2.ModelStatisticsRequest(name=model, version=version))
            )
        require_alias_version(model, version)
        return _json_of(await alias_statistics(model, catalogue, self._ports.models))

    async def statistics_of_all(self, _request: Request) -> Response:
        """Triton's statistics of every build."""
        return _json_of(await self._call("ModelStatistics", service_pb2.ModelStatisticsRequest()))

    async def index(self, request: Request) -> Response:
        """Aliases, then the builds as Triton lists them."""
        body = await request_body(request, self._ports.limits)
        ready_only = _wants_ready_only(body)
        found = await self._call("RepositoryIndex", service_pb2.RepositoryIndexRequest(ready=ready_only))
        whole = index_with_aliases(found, self._ports.catalogue(), ready_only=ready_only)
        return _json(write_json(index_to_json(whole)))

    async def _build_config(self, model: str, version: str) -> model_config_pb2.ModelConfig:
        self._require_known(model)
        answer = await self._call("ModelConfig", service_pb2.ModelConfigRequest(name=model, version=version))
        config: model_config_pb2.ModelConfig = answer.config
        return config

    async def _call(self, method: str, message: Message) -> Message:
        return await self._ports.models.call(method, message, self._ports.limits.call_timeout_seconds)

    def _require_known(self, model: str) -> None:
        catalogue = self._ports.catalogue()
        if not catalogue.knows(model):
            raise UnknownModel(model, catalogue.names())


def infer_response(encoded: EncodedResponse, coding: str | None) -> Response:
    """An inference answer with Triton's headers, in a coding where it is worth it."""
    headers = {}
    media_type = "application/json"
    if encoded.header_length is not None:
        headers[HEADER_LENGTH] = str(encoded.header_length)
        media_type = "application/octet-stream"
    body = encoded.body
    if coding is not None and len(body) >= MIN_COMPRESSED_BYTES:
        headers["Content-Encoding"] = coding
        body = compress(body, coding)
    return Response(body, headers=headers, media_type=media_type)


def _refused_routes() -> list[Route]:
    loading = _refuse("loading and unloading of models", _CHOOSE_BUILDS)
    regions = _refuse("shared memory of clients", _SEND_DATA)
    settings = _refuse("changing trace and log settings", _WATCH_METRICS)
    generate = _refuse("generate", "use infer")
    table: list[tuple[str, str, Handler]] = [
        ("POST", f"{prefix}/{verb}", generate)
        for prefix in (_MODEL, _VERSION)
        for verb in ("generate", "generate_stream")
    ]
    for prefix in ("/v2/repository", "/v2/repository/{repository}"):
        table += [("POST", f"{prefix}/models/{{model}}/{verb}", loading) for verb in ("load", "unload")]
    for kind in ("systemsharedmemory", "cudasharedmemory"):
        table += [("GET", f"/v2/{kind}/status", _no_regions), ("POST", f"/v2/{kind}/unregister", _no_regions_to_forget)]
        table += [("GET", f"/v2/{kind}/region/{{region}}/status", regions)]
        table += [("POST", f"/v2/{kind}/region/{{region}}/{verb}", regions) for verb in ("register", "unregister")]
    for path in ("/v2/trace/setting", f"{_MODEL}/trace/setting", "/v2/logging"):
        table += [(method, path, settings) for method in ("GET", "POST")]
    return [Route(path, handler, methods=[method]) for method, path, handler in table]


def _refuse(feature: str, instead: str) -> Handler:
    async def refuse(_request: Request) -> Response:
        raise NotSupported(feature, instead)

    return refuse


async def _no_regions(_request: Request) -> Response:
    return _json(b"[]")


async def _no_regions_to_forget(_request: Request) -> Response:
    return _json(b"")


def _names(request: Request) -> tuple[str, str]:
    parameters = request.path_params
    return parameters["model"], str(parameters.get("version", ""))


def _wants_ready_only(body: bytes) -> bool:
    content = parse_json(body) if body else {}
    ready = content.get("ready", False) if isinstance(content, dict) else None
    if not isinstance(ready, bool):
        raise BadRequest("body", 'an object with "ready": true or false', "something else")
    return ready


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _json_of(message: Message) -> Response:
    return _json(write_json(to_json(message)))
