"""Tell the frames that a decoder made up, by its own flags and by what arrived before it."""

from __future__ import annotations

from typing import NamedTuple

KEPT_IMAGES = 64  # inside a decoder, at most 17 for H.264
DOUBTED = 2  # groups in which a decoder called each frame damaged; more are not believed
_NO_TIME = 2**64 - 1


class Loss(NamedTuple):
    """Data that was lost.

    Attributes:
        next_pts: of the packet behind it, in ns; None before that came.
    """

    next_pts: int | None

    def is_beside(self, pts: int) -> bool:
        """Return whether the image of a time in ns may lack a part."""
        return self.next_pts is None or pts <= self.next_pts


class Late(NamedTuple):
    """That an image was put off.

    Attributes:
        loss: before it.
    """

    loss: Loss | None


class _Group:
    """Images that lean on one key frame."""

    __slots__ = ("begun", "is_clean", "whole")

    def __init__(self, whole: bool) -> None:
        self.whole = whole
        self.begun = False  # a frame of it was decoded
        self.is_clean = False  # … and the decoder did not call it damaged


class Damage:
    """Follows the images of one stream into a decoder, and its frames out of it.

    A frame is damaged if the decoder says so, or if it leans on an image that is not there: no key
    frame has come, or data was lost since the last one. libav tells of the first in H.264 alone,
    and of the second only until it has found something to copy from; so damage lasts until the
    next key frame. Images that are shown before the key frame that they follow (open groups) still
    lean on the group before it.

    Where a decoder calls whole frames of a group damaged from its first one on, it is believed of
    each; where it does so later, something is missing, and the rest of the group is damaged too.

    A loss is seen as ``DISCONT`` of an image that is no key frame, as lost packets, or as an image
    that gave no frame. A key frame that ends or begins beside lost packets may lack a slice, so it
    starts nothing whole. What no flag tells of stays unseen: altered bits, and images that a camera
    itself left out.

    Used by the thread in front of the decoder and the one behind it, as a rule one and the same.

    Args:
        believes: the decoder's own word counts. Not where it gets key frames alone: those that
            are missing between make it call whole ones damaged.

    Attributes:
        keyed_s: when the first key frame arrived; None before.
    """

    def __init__(self, believes: bool = True) -> None:
        self.keyed_s: float | None = None
        self._believes = believes
        self._group: _Group | None = None
        self._before = _Group(False)
        self._key_pts = -1
        self._loss: Loss | None = None
        self._begins = False  # the next frame follows a gap that was seen before the decoder
        self._images: dict[int, _Group] = {}
        self._doubted = 0

    def lost(self, next_pts: int | None) -> None:
        """Data was lost; ``next_pts`` is that of the packet behind it, None before it came.

        Of RTP with B frames, PTS follow the order of decoding, so those that are in the decoder
        cannot be told apart: all of them count as damaged.
        """
        self._loss = Loss(next_pts)
        if next_pts is None:
            for pts in list(self._images):
                self._images[pts] = _Group(False)

    @property
    def loss(self) -> Loss | None:
        """The loss that no image has followed yet; None without."""
        return self._loss

    def put_off(self, pts: int) -> Loss | None:
        """Return the loss before an image that is decoded later, for ``arrived`` then."""
        loss = self._loss
        if loss is not None and not loss.is_beside(pts):
            self._loss = None
        return loss

    def arrived(
        self,
        pts: int,
        now_s: float,
        key: bool,
        discont: bool = False,
        cut: bool = False,
        late: Late | None = None,
    ) -> None:
        """An encoded image is about to be decoded.

        Args:
            pts: its time in ns.
            now_s: the monotonic time.
            key: it leans on no other image.
            discont: the stream says that something is missing before it.
            cut: its own data is incomplete.
            late: that it was put off; None where it has just come.
        """
        if key and self.keyed_s is None:
            self.keyed_s = now_s
        loss = self._loss if late is None else late.loss
        beside_loss = loss is not None and loss.is_beside(pts)
        if key:
            self._before = self._group or self._before
            self._group = _Group(not (cut or beside_loss))
            self._key_pts = pts if pts != _NO_TIME else -1
        elif self._group is None or discont or loss is not None or cut:
            self._before = self._group = _Group(False)
        if late is None and not beside_loss:
            self._loss = None
        self._begins = self._begins or discont
        self._images[pts] = self._before if pts < self._key_pts else self._group
        if len(self._images) > KEPT_IMAGES:
            del self._images[next(iter(self._images))]

    def decoded(self, pts: int, flagged: bool, discont: bool = False) -> bool:
        """Return whether a frame that was decoded is damaged.

        Args:
            pts: the time of its image, in ns.
            flagged: the decoder says that it is.
            discont: there is a gap before it: an image that could not be decoded.
        """
        begins, self._begins = self._begins, False
        group = self._images.pop(pts, self._group)
        if group is None:  # no decoder, or one whose images are not seen
            return flagged
        if discont and self._believes and not begins and pts != self._key_pts:
            group.whole = False
        is_believed = flagged and self._is_believed(group)
        if is_believed and group.is_clean:
            group.whole = False
        if not flagged:
            self._doubted, group.is_clean = 0, True
        group.begun = True
        return is_believed or not group.whole

    def next_pts(self, behind: int) -> int | None:
        """Return the time in ns of the image that is shown next, of those that were not decoded
        yet; None if there is none behind the time ``behind``.
        """
        waiting = [pts for pts in list(self._images) if behind < pts < _NO_TIME]
        return min(waiting, default=None)

    def _is_believed(self, group: _Group) -> bool:
        """libav calls every frame damaged until it has seen an IDR frame or a recovery point, and
        some cameras never send either: after whole groups of it that had a key frame it is wrong.
        """
        if group.whole and not group.begun:
            self._doubted += 1
        return self._believes and self._doubted <= DOUBTED
