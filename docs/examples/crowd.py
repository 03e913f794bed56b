"""A stage of your own: says how full the picture is, and drops frames on which nobody is."""

from dataclasses import replace


class Crowd:
    def __init__(self, label="person", skip_empty=False):
        self.label, self.skip_empty = label, skip_empty

    def __call__(self, frame, result):
        people = result.detections.of(self.label)
        if self.skip_empty and len(people) == 0:
            return None  # counted as dropped, reason "stage"
        brightness = float(frame.mean())  # frame: (height, width, 3) uint8 RGB, a view
        timings = {**result.timings, "brightness": brightness}
        return replace(result, detections=people, timings=timings)
