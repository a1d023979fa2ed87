"""Every setting of the gateway, read once at start."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]


def _is_triton_target(text: str) -> str:
    if text == "embedded" or (text.startswith("grpc://") and ":" in text.removeprefix("grpc://")):
        return text
    raise ValueError(f"triton must be 'embedded' or grpc://host:port, got {text!r}")


_CLASS = r"[a-z0-9][a-z0-9-]*"
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked instead, not listened at


class Settings(BaseSettings):
    """Environment variables carry the prefix ``OUTPOST_GATEWAY_``; flags of the command win over them."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="OUTPOST_GATEWAY_", extra="forbid", env_ignore_empty=True)

    state_dir: Path = Field(Path("var"), description="folder of active.json, builds, logs")
    seed_dir: Path = Field(Path("model_repository"), description="builds that seed an empty state folder")
    mounted_seed_dir: Path | None = Field(None, description="where it holds builds, it is used instead of seed_dir")
    seed_models: str = Field(
        "",
        pattern=rf"^({_CLASS}(,{_CLASS})*)?$",
        description="models whose builds are copied from there, with commas; empty: all",
    )
    preferred_models: str = Field(
        "",
        pattern=rf"^({_CLASS}(,{_CLASS})*)?$",
        description="where seed_models is empty: of seed_dir, the builds of those of these models that have any;"
        " mounted_seed_dir is taken whole",
    )
    triton: Annotated[str, AfterValidator(_is_triton_target)] = Field(
        "embedded", description="'embedded' starts Triton as a child; grpc://host:port uses a running one"
    )
    triton_shares_state: bool = Field(
        False,
        description="the running Triton serves the builds of this state folder (see the verb triton): they are checked"
        " and loaded as from an embedded one",
    )
    triton_root: Path | None = Field(
        None, description="folder of an installed Triton, /opt/tritonserver in NVIDIA's image; else the wheel's is run"
    )

    host: str = Field("127.0.0.1", description="address of the HTTP and gRPC listeners")
    http_port: Port = 8000
    grpc_port: Port = 8001
    metrics_host: str = "127.0.0.1"
    metrics_port: Port = 8002
    admin_port: Port = Field(8010, description="always on loopback")
    tls_certificate: Path | None = Field(None, description="PEM chain of the HTTP and gRPC listeners, with --tls-key")
    tls_key: Path | None = Field(None, description="PEM key of the certificate, without a password")
    token_file: Path | None = Field(
        None, description="bearer tokens, one a line: requests then need one of them; health checks do not"
    )
    triton_host: str = Field("127.0.0.1", description="address of the three ports of a Triton that is started here")
    triton_metrics_host: str = Field(
        "", description="address of the last of them, whose metrics load no models; empty: triton_host"
    )
    triton_http_port: Port = Field(18000, description="of the embedded Triton; 0 picks a free one")
    triton_grpc_port: Port = 18001
    triton_metrics_port: Port = 18002

    workers: int = Field(1, ge=1, le=64, description="serving processes that share the ports")
    max_in_flight: int = Field(0, ge=0, le=1024, description="frames in work per worker; 0: twice the cores plus two")
    max_queue: int = Field(128, ge=0, le=100_000, description="frames waiting per worker before 429 is answered")
    default_timeout_seconds: float = Field(30.0, gt=0, description="deadline of a request that brings none")
    max_request_bytes: int = Field(64 * 2**20, ge=1024, description="largest HTTP body or gRPC message")
    max_bodies_bytes: int = Field(
        0, ge=0, description="bodies of requests in work, per worker, before 429 is answered; 0: four of the largest"
    )
    max_pixels: int = Field(50_000_000, ge=1, description="largest frame, read from its header before decoding")
    shared_memory: Literal["auto", "off"] = Field("auto", description="'off' sends tensors inside the request")

    preprocess: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where frames become tensors; auto: on an NVIDIA GPU where there is one, else on the CPU"
    )
    cuda_device: int = Field(0, ge=0, description="the GPU that does it, as CUDA counts them")
    cuda_streams: int = Field(2, ge=1, le=16, description="batches of frames that the GPU has in work, per worker")
    cuda_batch: int = Field(8, ge=1, le=64, description="most frames in one launch")

    instances: int = Field(0, ge=0, le=256, description="instances per build; 0: one per core")
    threads_per_instance: int = Field(0, ge=0, le=256, description="0: one")

    hardware_class: str = Field(
        "", pattern=rf"^({_CLASS})?$", description="class of the machine that Triton runs on; empty: detected"
    )
    accepted_classes: str = Field(
        "",
        pattern=rf"^({_CLASS}(,{_CLASS})*)?$",
        description="further classes whose builds are loaded, with commas",
    )

    probe_seconds: float = Field(10.0, ge=0, description="between two canary inferences of a build; 0: none")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_requests: Literal["errors", "all"] = Field("errors", description="which requests get a line in the log")
    drain_seconds: float = Field(5.0, ge=0, description="time for requests in work at shutdown")

    @model_validator(mode="after")
    def _has_both_parts_of_tls(self) -> "Settings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: one of them is missing")
        return self

    @property
    def embedded(self) -> bool:
        """Whether the gateway starts Triton itself."""
        return self.triton == "embedded"

    @property
    def on_this_machine(self) -> bool:
        """Whether Triton runs the builds of this state folder, on the machine that the gateway sees."""
        return self.embedded or self.triton_shares_state

    @property
    def seed_model_names(self) -> tuple[str, ...]:
        """``seed_models`` one by one; none: all."""
        return tuple(self.seed_models.split(",")) if self.seed_models else ()

    @property
    def preferred_model_names(self) -> tuple[str, ...]:
        """``preferred_models`` one by one; none: no preference."""
        return tuple(self.preferred_models.split(",")) if self.preferred_models else ()

    @property
    def triton_metrics_address(self) -> str:
        """``triton_metrics_host``, or its default."""
        return self.triton_metrics_host or self.triton_host

    @property
    def own_triton_host(self) -> str:
        """Where a Triton that is started here is asked: ``triton_host``, or loopback where that is every address."""
        return _LOOPBACK.get(self.triton_host, self.triton_host)

    @property
    def own_triton_http_url(self) -> str:
        """Of the HTTP endpoint of a Triton that is started here."""
        return f"http://{_address(self.own_triton_host, self.triton_http_port)}"

    @property
    def port_addresses(self) -> dict[str, str]:
        """Where each port is opened, by the name of its setting."""
        addresses = {"http_port": self.host, "grpc_port": self.host, "metrics_port": self.metrics_host}
        addresses["admin_port"] = "127.0.0.1"
        if self.embedded:
            addresses |= dict.fromkeys(("triton_http_port", "triton_grpc_port"), self.triton_host)
            addresses["triton_metrics_port"] = self.triton_metrics_address
        return addresses

    @property
    def bodies_limit_bytes(self) -> int:
        """``max_bodies_bytes``, or its default; the largest request always fits."""
        return max(self.max_bodies_bytes or 4 * self.max_request_bytes, self.max_request_bytes)

    @property
    def accepted_class_names(self) -> tuple[str, ...]:
        """``accepted_classes`` one by one."""
        return tuple(self.accepted_classes.split(",")) if self.accepted_classes else ()

    @property
    def triton_address(self) -> str:
        """``host:port`` of Triton's gRPC endpoint."""
        if self.embedded:
            return _address(self.own_triton_host, self.triton_grpc_port)
        return self.triton.removeprefix("grpc://")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
