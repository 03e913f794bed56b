"""Forms of a camera's sections have every key, with its own default and words."""

from __future__ import annotations

import pytest

from pipeline.config.camera import CameraOptions
from pipeline.config.clips import Clips
from pipeline.config.events import Events
from pipeline.config.form import SectionForm, sections_of
from pipeline.config.onvif import Onvif
from pipeline.config.section import Section
from pipeline.config.stages import kinds

SECTIONS: dict[str, type[Section]] = {"events": Events, "clips": Clips, "onvif": Onvif}


def test_a_camera_shows_its_sections() -> None:
    forms = sections_of(CameraOptions)
    assert {form.key: form.optional for form in forms} == {
        "events": False,
        "clips": True,
        "onvif": True,
    }


@pytest.mark.parametrize("form", sections_of(CameraOptions), ids=lambda form: form.key)
def test_each_key_has_a_control(form: SectionForm) -> None:
    section = SECTIONS[form.key]
    assert [field.key for field in form.fields] == list(section.model_fields)
    defaults = section().model_dump(mode="json")
    for field in form.fields:
        assert field.control != "none"
        assert field.default == defaults[field.key]
        assert field.description


def test_what_no_value_means_is_said() -> None:
    said = {
        f"{kind}.{field.key}": field.empty
        for kind in ("track", "lanes")
        for field in kinds()[kind].form().fields
    }
    assert said["track.lost_s"] == "3"
    assert said["track.min_score"] == "0.1"
    assert said["track.appearance"] == "not used"
    assert said["lanes.drivable"] == "auto"
    assert said["lanes.fov_deg"] == "unknown"
