"""The cameras as one identity may see them: those that its rights reach, and no trace of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from fastapi import HTTPException

from dashboard.access.identity import Identity
from dashboard.access.sight import seen_by, without_others
from dashboard.api.shapes import unknown
from dashboard.history.described import is_run
from dashboard.services import Services
from pipeline.config.stages.stage import read_stage
from pipeline.control.entries import Desired
from pipeline.control.lease import holders
from pipeline.control.outbox_report import OutboxReport
from pipeline.control.reports import WorkerReport

T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """What one identity may see.

    Attributes:
        services: those of the application.
        who: asks.
    """

    services: Services
    who: Identity

    def wanted(self) -> dict[str, Desired]:
        """The cameras that are configured, by name; blocks.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        cameras = self.services.registry().cameras()
        return {name: each for name, each in cameras.items() if self.who.sees(name)}

    def named(self, name: str) -> Desired:
        """A camera's entry; blocks.

        Raises:
            HTTPException: 404, there is none of that name.
            redis.RedisError: Redis does not answer.
        """
        cameras = self.wanted()
        if name not in cameras:
            raise unknown(name, cameras)
        return cameras[name]

    def running(self, name: str) -> str:
        """The worker of a camera, which is running; blocks.

        Raises:
            HTTPException: 404, there is no camera of that name; 409, its worker is not running.
            redis.RedisError: Redis does not answer.
        """
        worker = self.named(name).worker
        if worker not in holders(self.services.redis, worker):
            raise HTTPException(409, f'worker "{worker}" is not running')
        return worker

    def cameras(self) -> list[dict[str, Any]]:
        """The cameras as of the last second, as the API describes them."""
        return seen_by(self.who, self.services.sampler.cameras())

    def describe(self, desired: Desired) -> dict[str, Any]:
        """Describe a camera that they see."""
        return without_others(self.who, self.services.sampler.describe(desired))

    def reports(self) -> Mapping[str, WorkerReport]:
        """The workers' reports by name, of the cameras that they see and what these run."""
        reports = self.services.sampler.reports()
        if self.who.sees_all:
            return reports
        cameras = self.services.sampler.wanted()
        return {name: self._part(report, cameras) for name, report in reports.items()}

    def check_name(self, name: str) -> None:
        """Refuse a name that is none of theirs for a camera that is to be added.

        Raises:
            HTTPException: 403.
        """
        if not self.who.sees(name):
            patterns = ", ".join(self.who.cameras)
            raise HTTPException(
                403, f'you may add cameras that are named {patterns}; "{name}" is not'
            )

    def _own(self, by_camera: Mapping[str, T]) -> dict[str, T]:
        return {name: each for name, each in by_camera.items() if self.who.sees(name)}

    def _own_words(self, outbox: OutboxReport) -> str:
        """Why cameras of theirs are refused: ``gate: words; yard: words`` while Redis is there."""
        if not outbox.connected:
            return outbox.words
        parts = outbox.words.split("; ")
        return "; ".join(part for part in parts if self.who.sees(part.partition(": ")[0]))

    def _part(self, report: WorkerReport, cameras: Mapping[str, Desired]) -> WorkerReport:
        own = [
            each
            for name, each in cameras.items()
            if each.worker == report.worker and self.who.sees(name)
        ]
        run = {
            use.name
            for each in own
            for said in report.stages_of(each.spec)
            if (stage := read_stage(said))
            for use in stage.models()
        }

        shown = {name: one for name, one in report.cameras.items() if self.who.sees(name)}
        outbox = msgspec.structs.replace(
            report.outbox,
            lost=self._own(report.outbox.lost),
            lost_events=self._own(report.outbox.lost_events),
            cut=self._own(report.outbox.cut),
            words=self._own_words(report.outbox),
        )
        return msgspec.structs.replace(
            report,
            cameras=shown,
            outbox=outbox,
            models=tuple(each for each in report.models if is_run(each.name, run)),
            builds={name: build for name, build in report.builds.items() if is_run(name, run)},
            room=None,  # of all cameras together
        )
