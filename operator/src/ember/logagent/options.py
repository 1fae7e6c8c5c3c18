"""What the agent is told at its start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ember.model.settings import Settings

_MIB = 1024 * 1024


@dataclass(frozen=True)
class AgentOptions:
    """Paths, addresses, intervals and bounds; times in seconds."""

    broker_url: str
    broker_ca: Path | None = None
    token_file: Path = Path("/var/run/secrets/ember/token")
    node_logs: Path = Path("/var/log/pods")
    scratch: Path = Path("/var/lib/ember-logagent")
    metrics_port: int | None = 8080

    upload_interval: float = 15.0
    rotate_bytes: int = 128 * _MIB
    turn_bytes: int = _MIB
    backlog_bytes: int = 512 * _MIB

    poll_interval: float = 1.0
    ending_poll_interval: float = 0.1
    no_directory_bound: float = 2.0
    no_mark_bound: float = 10.0
    quiet: float = 0.3
    first_retry: float = 1.0
    longest_retry: float = 60.0
    forget_after: float = 60.0
    stop_bound: float = 10.0
    uploads_at_once: int = 4

    @staticmethod
    def from_settings(settings: Settings, environ: Mapping[str, str]) -> "AgentOptions":
        """Return the options of a pod of the DaemonSet; the environment may move what the chart mounts."""
        return AgentOptions(
            broker_url=environ.get("EMBER_BROKER_URL") or settings.broker_url,
            broker_ca=Path(environ.get("EMBER_BROKER_CA") or "/etc/ember-broker-ca/ca.crt"),
            token_file=Path(environ.get("EMBER_TOKEN_FILE") or "/var/run/secrets/ember/token"),
            node_logs=Path(environ.get("EMBER_NODE_LOGS") or "/var/log/pods"),
            scratch=Path(environ.get("EMBER_SCRATCH") or "/var/lib/ember-logagent"),
            metrics_port=settings.metrics_port,
            upload_interval=float(settings.logs.upload_interval_seconds),
            rotate_bytes=settings.logs.rotate_bytes,
        )
