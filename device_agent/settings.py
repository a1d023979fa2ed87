"""Every setting of the agent, read once at start."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """Environment variables carry the prefix ``OUTPOST_AGENT_``; flags of the command win over them."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="OUTPOST_AGENT_", extra="forbid", env_ignore_empty=True)

    state_dir: Path = Field(Path("var"), description="the gateway's state folder; its file system is watched")
    host_root: Path = Field(
        Path("/"), description="folder that the machine's /proc and /sys are in; in a container, where they are mounted"
    )
    metrics_host: str = Field("127.0.0.1", description="address of the metrics and the health check")
    metrics_port: Port = Field(8003, description="0 picks a free one")
    read_timeout_seconds: float = Field(
        2.0, gt=0, le=60, description="time for the sensors of a kind; those that take longer are left out"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
