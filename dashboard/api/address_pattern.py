"""The addresses of cameras as a regular expression, for the OpenAPI document (ECMA-262)."""

from __future__ import annotations

from pipeline.config.source_kinds import kinds

_HEX = "[0-9A-Fa-f]{1,4}"
_IPV6 = "|".join(
    [
        f"(?:{_HEX}:){{7}}{_HEX}",
        *(f"(?:{_HEX}:){{{n}}}(?::{_HEX}){{1,{7 - n}}}" for n in range(1, 7)),
        f"(?:{_HEX}:){{1,7}}:",
        f":(?::{_HEX}){{1,7}}",
        "::",
    ]
)
_HOST = rf"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{{0,200}}[A-Za-z0-9])?|\[(?:{_IPV6})\])"
_PORT = ":(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_ESCAPED = "(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}){1,200}"
_LOGIN = f"(?:{_ESCAPED}(?::{_ESCAPED})?@)?"
_REST = r"(?:[/?#][^\s@\x00-\x1f\x7f]*)?"
_PLAIN = r"[^:\x00-\x1f\x7f]+"  # a path, or a word such as webcam
_SIDE = "(?:6[4-9]|[7-9][0-9]|[1-9][0-9]{2}|[1-3][0-9]{3})"
_TEST = f"(?:size={_SIDE}x{_SIDE}|fps=[1-9][0-9]{{0,2}})"
_OPTION = "[A-Za-z0-9._/-]{10,60}"
_OF_SRT = (
    f"(?:mode=caller|latency=[0-9]{{1,5}}|pbkeylen=(?:16|24|32)|(?:streamid|passphrase)={_OPTION})"
)
_OF_RTP = "(?:buffer=[1-9][0-9]{3,8}|interface=[a-z]{1,8}[0-9]{1,3})"


def address_pattern() -> str:
    """Return the pattern of every address that the API takes; of options the common ones."""
    plain = [
        scheme
        for kind in kinds()
        for scheme, end in kind.schemes.items()
        if end is not None and end.has_login and not scheme.startswith("rtmp")
    ]
    forms = [
        _PLAIN,
        r"(?:file|images|sdp):[^\s@\x00-\x1f\x7f]+",
        r"v4l2:/dev/video[0-9]{1,2}",
        rf"test://(?:\?{_TEST}(?:&{_TEST})*)?",
        f"(?:{'|'.join(each.replace('+', '[+]') for each in plain)})://{_LOGIN}{_HOST}(?:{_PORT})?{_REST}",
        rf"rtmps?://{_LOGIN}{_HOST}(?:{_PORT})?/[^\s@/?#\x00-\x1f\x7f]+/[^\s@/?#\x00-\x1f\x7f]+{_REST}",
        rf"srt://{_HOST}{_PORT}(?:\?{_OF_SRT}(?:&{_OF_SRT})*)?",
        rf"srt://{_PORT}",
        rf"(?:udp|rtp)://(?:{_HOST})?{_PORT}(?:\?{_OF_RTP}(?:&{_OF_RTP})*)?",
    ]
    return f"^(?:{'|'.join(forms)})$"
