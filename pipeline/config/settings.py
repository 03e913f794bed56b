"""The configuration of one worker: a YAML file, overridden by ``MIRANTE_…`` variables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, Self, TypeVar
from urllib.parse import quote, urlencode

from pydantic import (
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mirante.keys import CAMERA_NAME
from mirante.tls_files import check_certificates, check_key
from pipeline.config.camera import Camera, CameraName, CameraOptions
from pipeline.config.clips import ClipsKept
from pipeline.config.dashboard import Dashboard
from pipeline.config.engine import Engine
from pipeline.config.fleet import Fleet
from pipeline.config.redis_address import check_redis_address, read_password
from pipeline.config.section import Section
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.stage import STAGES
from pipeline.config.standard import FACE, Standard
from pipeline.config.telemetry import Telemetry

SectionT = TypeVar("SectionT", bound=Section)
CameraT = TypeVar("CameraT", bound=CameraOptions)


class MaxMib(Section):
    """The memory that one camera's streams may take in Redis."""

    detections: int = Field(32, ge=1, le=65_536, description="MiB of a camera's detections")
    masks: int = Field(64, ge=1, le=65_536, description="MiB of a camera's masks")
    events: int = Field(16, ge=1, le=65_536, description="MiB of a camera's events")
    images: int = Field(32, ge=1, le=65_536, description="MiB of the images of its events")
    tracks: int = Field(4, ge=1, le=65_536, description="MiB of where its tracked objects were")


class Retention(Section):
    """The retention of each stream in Redis."""

    detections_s: float = Field(60.0, gt=0, le=86_400, description="seconds of detections")
    masks_s: float = Field(20.0, gt=0, le=86_400, description="seconds of masks")
    events_s: float = Field(604_800.0, gt=0, le=31_536_000, description="seconds of events")
    images_s: float = Field(
        604_800.0, gt=0, le=31_536_000, description="seconds of the images of events"
    )
    tracks_s: float = Field(
        600.0, gt=0, le=86_400, description="seconds of where tracked objects were"
    )
    status_entries: int = Field(
        3600, ge=10, le=1_000_000, description="changes of a camera's state"
    )
    forget_s: float = Field(
        86_400.0,
        ge=60,
        le=31_536_000,
        description="seconds after which a camera that publishes nothing leaves Redis; its events "
        "stay for their own time, if that is longer",
    )
    max_mib: MaxMib = Field(
        MaxMib(), description="maximum memory of a camera's streams, whatever their age"
    )


class Redis(Section):
    """The Redis that results go to."""

    url: SecretStr | None = Field(
        None,
        description="address: redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://; "
        "null starts a private redis-server",
    )
    password: SecretStr | None = Field(
        None, description="password where url has none; best written ${REDIS_PASSWORD}"
    )
    password_file: Path | None = Field(
        None,
        description="file whose first line is the password, where url and password have none: a "
        "secret of Docker or systemd",
    )
    ca_file: Path | None = Field(
        None,
        description="PEM file of the authority that signed the server's certificate (rediss:// "
        "only); null trusts those of the system",
    )
    cert_file: Path | None = Field(
        None,
        description="PEM file of this client's certificate, for a server that asks for one "
        "(rediss:// only)",
    )
    key_file: Path | None = Field(
        None,
        validate_default=True,
        description="PEM file of that certificate's key; null where cert_file holds it too",
    )
    check_hostname: bool = Field(
        True,
        description="whether the server's certificate must be for the host in url (rediss:// only)",
    )
    retention: Retention = Field(Retention(), description="how much each stream keeps")
    ring_s: float = Field(
        30.0, gt=0, le=3600, description="seconds of results held while Redis is away"
    )
    ring_mib: int = Field(256, ge=1, le=65_536, description="maximum memory of results in MiB")

    @field_validator("url")
    @classmethod
    def _address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            check_redis_address(url.get_secret_value())
        return url

    @field_validator("password", "password_file", "ca_file", "cert_file", "key_file")
    @classmethod
    def _needs_url(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("url", "invalid") is None:
            raise ValueError("expected null, as redis.url is null: the private Redis needs none")
        return value

    @field_validator("ca_file", "cert_file", "key_file", "check_hostname")
    @classmethod
    def _needs_tls(cls, value: object, info: ValidationInfo) -> object:
        url: SecretStr | None = info.data.get("url")
        default = cls.model_fields[info.field_name or ""].default
        if value == default or url is None or url.get_secret_value().startswith("rediss"):
            return value
        wanted = "null" if default is None else "true"
        raise ValueError(f"expected {wanted}, as redis.url does not begin rediss://, for TLS")

    @field_validator("password_file")
    @classmethod
    def _password(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_password(path)
        return path

    @field_validator("ca_file", "cert_file")
    @classmethod
    def _certificates(cls, path: Path | None) -> Path | None:
        if path is not None:
            check_certificates(path)
        return path

    @field_validator("key_file")
    @classmethod
    def _key(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if "cert_file" not in info.data:
            return path  # wrong itself
        certificate = info.data["cert_file"]
        if certificate is None and path is not None:
            raise ValueError("expected null, as redis.cert_file is null")
        if certificate is not None:
            check_key(certificate, path or certificate)
        return path

    def address(self) -> str | None:
        """The url with password and TLS files in it, as redis-py reads it; None when private.

        It holds secrets: connect with it, never show it.
        """
        if self.url is None:
            return None
        scheme, _, rest = self.url.get_secret_value().partition("://")
        place, _, given = rest.partition("?")  # urlsplit takes no [::1] among several hosts
        netloc, slash, path = place.partition("/")
        login = netloc.rpartition("@")[0]
        password = self.password.get_secret_value() if self.password is not None else None
        if password is None and self.password_file is not None:
            password = read_password(self.password_file)
        if password is not None and ":" not in login:
            user, _, host = netloc.rpartition("@")
            netloc = f"{user}:{quote(password, safe='')}@{host}"
        options = {
            "ssl_ca_certs": self.ca_file,
            "ssl_certfile": self.cert_file,
            "ssl_keyfile": self.key_file,
            "ssl_check_hostname": None if self.check_hostname else "false",
        }
        query = urlencode({name: value for name, value in options.items() if value is not None})
        query = "&".join(filter(None, (given, query)))
        return f"{scheme}://{netloc}{slash}{path}{'?' if query else ''}{query}"


class Metrics(Section):
    """The HTTP server of /metrics, /livez and /readyz."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every one")
    port: int | None = Field(
        9464, ge=0, le=65_535, description="port to listen on; 0 takes a free one, null none"
    )


class Log(Section):
    """The log's level and format."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="minimum level that is logged"
    )
    format: Literal["text", "json"] = Field(
        "text", description="lines for people, or one JSON object a line"
    )


class Settings(BaseSettings):
    """The settings of a worker. ``MIRANTE_REDIS__RING_S=60`` overrides ``redis.ring_s``."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix="MIRANTE_",
        env_nested_delimiter="__",
        env_parse_none_str="null",
    )

    worker: str = Field(
        "main", pattern=CAMERA_NAME, description="name of this worker; one runs per name and Redis"
    )
    redis: Redis = Field(Redis(), description="where results go")
    metrics: Metrics = Field(Metrics(), description="/metrics, /livez and /readyz")
    dashboard: Dashboard = Field(Dashboard(), description="the web page, and the API behind it")
    log: Log = Field(Log(), description="what is logged, and how")
    telemetry: Telemetry = Field(
        Telemetry(), description="what is sent to OpenTelemetry; nothing unless asked for"
    )
    clips: ClipsKept = Field(ClipsKept(), description="where clips of cameras are kept")
    engine: Engine = Field(Engine(), description="how models run")
    fleet: Fleet = Field(Fleet(), description="what a worker is in its fleet, and takes from it")
    models: Path | None = Field(None, description="folder of manifests beside the zoo's")
    defaults: CameraOptions = Field(
        CameraOptions(),
        description="what every camera inherits that does not say otherwise",
    )
    cameras: dict[CameraName, Camera] = Field({}, description="cameras by name")
    _elsewhere: frozenset[str] | None = PrivateAttr(None)

    @property
    def elsewhere(self) -> frozenset[str] | None:
        """The cameras of the file that others of its workers have, one for each GPU; None where it
        has one worker.
        """
        return self._elsewhere

    def share(self, names: Collection[str]) -> Settings:
        """Return the settings of a worker that has some of the cameras; others have the rest."""
        kept = {name: camera for name, camera in self.cameras.items() if name in names}
        copy = self.model_copy(update={"cameras": kept})
        copy._elsewhere = frozenset(self.cameras.keys() - kept.keys())
        return copy

    @field_validator("models")
    @classmethod
    def _folder(cls, models: Path | None) -> Path | None:
        if models is not None and not models.is_dir():
            raise ValueError("expected a folder that exists")
        return models

    @model_validator(mode="after")
    def _inherit(self) -> Self:
        cameras = {name: self.complete(camera) for name, camera in self.cameras.items()}
        object.__setattr__(self, "cameras", cameras)
        return self

    def complete(self, camera: Camera) -> Camera:
        """The camera with the ``defaults`` and its models found in the folder ``models``.

        One that names no stages still names none: what it gets is chosen on the machine that runs
        it (``pipeline.config.choosing``).
        """
        camera = inherit(camera, self.defaults)
        if camera.stages is None:
            return camera
        return camera.model_copy(update={"stages": with_manifests(camera.stages, self.models)})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file."""
        return env_settings, init_settings


def inherit(own: SectionT, defaults: Section) -> SectionT:
    """``own`` with each key that it does not set taken from those that ``defaults`` sets."""
    update: dict[str, object] = {}
    for key in defaults.model_fields_set:
        theirs = getattr(defaults, key)
        if key not in own.model_fields_set:
            update[key] = theirs
        elif isinstance(theirs, Section) and isinstance(said := getattr(own, key), Section):
            update[key] = inherit(said, theirs)
    return own.model_copy(update=update)


def with_manifests(stages: Sequence[StageKind], folder: Path | None) -> list[StageKind]:
    """The stages, those whose model has a manifest in ``folder`` with its path for a name."""
    return [stage.with_models(lambda model: in_folder(model, folder)) for stage in stages]


def in_folder(model: str, folder: Path | None) -> str:
    """Return the path of the model's manifest in ``folder``; its name where there is none."""
    own = folder / f"{model}.yaml" if folder is not None else None
    return str(own) if own is not None and own.is_file() else model


def with_standard(camera: CameraT, standard: Standard, folder: Path | None = None) -> CameraT:
    """Return the camera with the stages that it gets where it names none.

    Args:
        camera: with what it inherits.
        standard: what a machine runs for such cameras.
        folder: manifests beside the zoo's.
    """
    if camera.stages is not None:
        return camera
    stages = STAGES.validate_python(standard.stages(camera.preview.blur))
    return camera.model_copy(update={"stages": with_manifests(stages, folder)})


def findable(camera: CameraOptions) -> list[StageKind]:
    """Return the stages whose classes it may blur, faces too where it names no stages."""
    if camera.stages is not None:
        return camera.stages
    return STAGES.validate_python(Standard().stages([FACE]))
