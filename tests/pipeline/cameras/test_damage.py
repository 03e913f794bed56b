"""Which frames are damaged, told from key frames, losses and the decoder's own word."""

from __future__ import annotations

import pytest

from pipeline.cameras.damage import Damage

FRAME = 40


class Stream:
    """Images that enter a decoder which hands out a frame for each at once."""

    def __init__(self, believes: bool = True) -> None:
        self.damage = Damage(believes)
        self.n = 0

    def play(self, kinds: str) -> str:
        """One letter an image: K key frame, p other, d other behind a gap, D key frame behind a
        gap, c cut key frame, * lost packets inside this image and the next, ! the decoder flags
        the image before. Returns X for a damaged frame and . for a whole one.
        """
        said = ""
        for place, kind in enumerate(kinds):
            if kind == "*":
                self.damage.lost(None)
                self.damage.lost(self.n * FRAME)
            if kind in "*!":
                continue
            pts, self.n = self.n * FRAME, self.n + 1
            self.damage.arrived(pts, 1.0, kind in "KDc", kind in "dD", kind == "c")
            flagged = kinds[place + 1 : place + 2] == "!"
            said += "X" if self.damage.decoded(pts, flagged) else "."
        return said


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ("KpppKppp", "........"),
        ("ppKpp", "XX..."),  # joined between two key frames
        ("KpdppKp", "..XXX.."),  # until the next key frame, whatever the decoder says
        ("Kp!ppKp", ".XXX.."),
        ("KppDpp", "......"),  # a jump to a key frame, as in a file that is looped
        ("Kpp*Kppp*KpKp", "...XXXXXX.."),  # the loss may be in the key frame
        ("Kp*ppKp", "..XX.."),
        ("KcK", ".X."),
        ("K!p!K!p!K!p!K!p!Kp", "XXXX......"),  # a decoder that never saw what it waits for
        ("K!p!pKpK!p", "XX...X."),  # shown late, of the group before; or until it has recovered
        ("Kpp!ppKp", "..XXX.."),
    ],
)
def test_damage_lasts_until_the_next_key_frame(kinds: str, said: str) -> None:
    assert Stream().play(kinds) == said


def test_packets_lost_before_the_image_before_a_key_frame_do_not_harm_it() -> None:
    stream = Stream()
    assert stream.play("Kp*p") == "..X"
    assert stream.play("Kp") == ".."


def test_images_shown_before_their_key_frame_lean_on_the_group_before() -> None:
    damage = Damage()
    shown = []
    for pts, key in [(80, True), (0, False), (40, False), (200, True), (120, False), (160, False)]:
        damage.arrived(pts, 1.0, key)
        shown.append((pts, damage.decoded(pts, False)))
    assert shown == [
        (80, False), (0, True), (40, True), (200, False), (120, False), (160, False),
    ]  # fmt: skip
    damage.arrived(240, 1.0, False, discont=True)
    for pts, key in [(400, True), (360, False), (440, False)]:
        damage.arrived(pts, 1.0, key)
    assert [damage.decoded(pts, False) for pts in (240, 360, 400, 440)] == [
        True,
        True,
        False,
        False,
    ]


def test_key_frames_alone_are_whole_whatever_the_decoder_says() -> None:
    assert Stream(believes=False).play("K!K!K!") == "..."


def test_without_a_decoder_the_source_is_believed() -> None:
    damage = Damage()
    assert [damage.decoded(0, False), damage.decoded(40, True)] == [False, True]


def test_the_time_of_the_first_key_frame_and_of_what_is_shown_next() -> None:
    damage = Damage()
    damage.arrived(0, 1.0, False)
    keyed_s = [damage.keyed_s]
    for pts, now_s in ((40, 2.0), (80, 3.0)):
        damage.arrived(pts, now_s, True)
        keyed_s.append(damage.keyed_s)
    assert keyed_s == [None, 2.0, 2.0]
    assert (damage.next_pts(0), damage.next_pts(40), damage.next_pts(80)) == (40, 80, None)


def test_images_without_a_time_of_their_own() -> None:
    damage = Damage()
    none = 2**64 - 1
    damage.arrived(none, 1.0, True)
    damage.arrived(none, 1.0, False)
    assert not damage.decoded(none, False)
    assert not damage.decoded(123, False)
