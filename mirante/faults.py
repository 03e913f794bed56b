"""The table of faults: why a camera gives no frames or events, as codes that programs rely on."""

from __future__ import annotations

from enum import StrEnum

_LASTING = True  # somebody has to repair something: another attempt soon is no use


class FaultCode(StrEnum):
    """Why a camera gives no frames; ``code`` of a status, a trial and the API.

    Attributes:
        words: how the reason beside it reads, ``…`` for what differs, `` / `` between several.
        advice: what to do about it.
        needs_repair: the camera has failed and is tried rarely, else it reconnects.
    """

    words: str
    advice: str
    needs_repair: bool

    def __new__(cls, code: str, words: str, advice: str, needs_repair: bool = False) -> FaultCode:
        """Make a row of the table."""
        row = str.__new__(cls, code)
        row._value_ = code
        row.words, row.advice, row.needs_repair = words, advice, needs_repair
        return row

    LOGIN_REQUIRED = (
        "login-required",
        "401 unauthorised: the camera asks for a user and password",
        "Give the camera's user and password with its address.",
        _LASTING,
    )
    UNAUTHORISED = (
        "unauthorised",
        "401 unauthorised: the camera refuses this user or password",
        "Check user and password, capitals too. Some cameras have separate users for video.",
        _LASTING,
    )
    BAD_PASSPHRASE = (
        "bad-passphrase",
        "the camera refuses this passphrase, or asks for one",
        "Give the camera's own with its address, as ?passphrase=TEXT.",
        _LASTING,
    )
    LOGIN_UNSUPPORTED = (
        "login-unsupported",
        "401 unauthorised: the camera asks for a login by …, which is not supported",
        "Choose digest or basic login in the camera's settings.",
        _LASTING,
    )
    FORBIDDEN = (
        "forbidden",
        "403 forbidden: this user may not watch this camera",
        "Give this user the right to watch in the camera's own settings, or take another user.",
        _LASTING,
    )
    NOT_FOUND = (
        "not-found",
        '404 not found: the camera has no path "…"',
        "The path is in the camera's manual, often /stream1, /h264 or /live. “Find cameras” on the "
        "dashboard asks the camera itself.",
        _LASTING,
    )
    STREAM_MISSING = (
        "stream-missing",
        "404 not found: the camera describes a stream and then refuses it (…)",
        "Restart the camera, or take another path: a part of the stream is not there.",
        _LASTING,
    )
    CAMERA_FULL = (
        "camera-full",
        "453 not enough bandwidth: the camera has no stream left for another viewer",
        "Close other programs that watch it, or allow more viewers in its settings; its second "
        "stream needs less.",
    )
    UNAVAILABLE = (
        "unavailable",
        "…: the camera cannot serve this now",
        "It may be starting, or too many programs may watch it; it is tried again by itself.",
    )
    SESSION_LOST = (
        "session-lost",
        "454 session not found: the camera has forgotten the session (…)",
        "It reconnects by itself. If it happens often, restart the camera.",
    )
    CAMERA_ERROR = (
        "camera-error",
        "…: the camera fails (…)",
        "Restart the camera, or try another path. If it stays, update its firmware.",
    )
    UNSUPPORTED = (
        "unsupported",
        "…: the camera cannot do this (…)",
        "Try another path or transport, and update the camera's firmware.",
        _LASTING,
    )
    REJECTED = (
        "rejected",
        "…: the camera refuses the request (…)",
        "Compare the path, and what is behind its ?, with the camera's manual.",
        _LASTING,
    )
    REDIRECTED = (
        "redirected",
        "the camera redirects …",
        "Open the address in a browser, and take the one at which it ends.",
        _LASTING,
    )
    WRONG_TRANSPORT = (
        "wrong-transport",
        "461 unsupported transport: the camera does not send over …",
        "Leave transport at auto, which tries TCP and UDP. A camera that takes neither may send by "
        "multicast alone, which its settings may change.",
        _LASTING,
    )
    WRONG_PROTOCOL = (
        "wrong-protocol",
        "… speaks …, not …",
        "Check scheme and port: RTSP is usually at port 554, HTTP at 80.",
        _LASTING,
    )
    REFUSED = (
        "refused",
        "connection refused: nothing listens at …",
        "Check that the camera has this protocol switched on, and the port: RTSP is usually at "
        "554, HTTP at 80, RTMP at 1935.",
    )
    CALL_REFUSED = (
        "call-refused",
        "… refuses the call: no such streamid, or taken",
        "Check ?streamid=TEXT of the address. Many cameras take one SRT call at a time.",
    )
    UNREACHABLE = (
        "unreachable",
        "… does not answer: switched off, or behind a firewall",
        "Check its power and network, and for a firewall between it and the worker's machine.",
    )
    NO_ROUTE = (
        "no-route",
        "no route to …",
        "Camera and worker are in different networks: check the routes between them.",
    )
    UNKNOWN_HOST = (
        "unknown-host",
        'unknown host "…"',
        "Check the spelling, or write the camera's IP address instead of its name.",
    )
    NO_NAME_SERVER = (
        "no-name-server",
        "the name server does not answer",
        "Check the name server of the worker's machine, or write the camera's IP address.",
    )
    UNRESPONSIVE = (
        "unresponsive",
        "the camera takes the connection but never answers / the camera gives no answer to … / "
        "the camera redirects to …, which gives no answer",
        "Restart the camera. If that does not help, look for a firewall between it and the "
        "worker's machine.",
    )
    NOT_VIDEO = (
        "not-video",
        "the camera answers, but not with video",
        "Try another path or port: this one may be the camera's web page.",
    )
    AUDIO_ONLY = (
        "audio-only",
        "the camera sends no video here, only … / the camera sends no video here: it offers no "
        "stream",
        "Take the path of a stream with video; it may be switched off in the camera's settings.",
        _LASTING,
    )
    SNAPSHOT = (
        "snapshot",
        "the address gives a single image (…), not a stream",
        "Write snapshot+ in front of it, as snapshot+http://…: the image is then asked for again "
        "and again.",
        _LASTING,
    )
    PLAYLIST = (
        "playlist",
        "the address gives a playlist (…), not a stream",
        "Write hls+ in front of it, as hls+http://…, if it is one of HLS.",
        _LASTING,
    )
    RECORDING = (
        "recording",
        "the address gives a video file or stream (…), not …",
        "Write file+ in front of the address of a recording, as file+http://…, or ts+ for a stream "
        "that never ends.",
        _LASTING,
    )
    WEB_PAGE = (
        "web-page",
        "the address gives a web page (…), not video",
        "Take the address of the video itself, from the camera's manual. A page may also be one "
        "to log in: give user and password with the address.",
        _LASTING,
    )
    OTHER_CONTENT = (
        "other-content",
        "the address gives …, not video",
        "Take the address of the video itself, from the camera's manual.",
        _LASTING,
    )
    NO_VIDEO = (
        "no-video",
        "the camera answers, but no video came for … / packets arrive at …, but no video came for "
        "… / no video came for …, and no key frame before / no image came within …",
        "With UDP a firewall may be in the way: choose TCP. Otherwise restart the camera.",
    )
    STALLED = (
        "stalled",
        "no frame for … (watchdog_s: …)",
        "It reconnects by itself. If it happens often, check the network between the camera and "
        "the worker's machine.",
    )
    UNDECODABLE = (
        "undecodable",
        "images arrive, but none could be decoded for …",
        "The stream is damaged: use TCP, check the network, or lower the camera's bit rate.",
    )
    NO_KEY_FRAME = (
        "no-key-frame",
        "images arrive, but no key frame came for …",
        "Set a shorter distance between key frames in the camera, as “I frame interval”: with it "
        "the wait for the first image ends sooner.",
    )
    NO_PARAMETER_SETS = (
        "no-parameter-sets",
        "images arrive without parameter sets (SPS, PPS): none could be decoded for …",
        "Restart the camera, or set another codec or profile and then this one again.",
    )
    ENDED = (
        "ended",
        "the camera ended the stream",
        "It reconnects by itself. If it happens often, too many programs may watch the camera.",
    )
    LOCAL_TARGET = (
        "local-target",
        "… is on the worker's own machine or link, which dashboard.local_targets does not allow",
        "Set dashboard.local_targets: true where whoever may test cameras may reach all that the "
        "worker's machine can. Cameras of the configuration and the command line need no such key.",
        _LASTING,
    )
    NO_SENDER = (
        "no-sender",
        "waiting for a sender at …",
        "Let the camera or encoder send to this address of the worker's machine, and the firewall "
        "let UDP through to it. A multicast group may need ?interface=NAME.",
    )
    UNTRUSTED = (
        "untrusted",
        "the camera's certificate is not trusted: …",
        "Name the certificate of its authority in SSL_CERT_FILE of the worker, or use an address "
        "without TLS.",
        _LASTING,
    )
    NO_TLS = (
        "no-tls",
        "… does not speak TLS: …",
        "Use an address without TLS, or the port of its encrypted stream.",
        _LASTING,
    )
    NO_DECODER = (
        "no-decoder",
        "no decoder for this video: …",
        "Run “mirante doctor” on the worker's machine: it names the package that is missing.",
        _LASTING,
    )
    NO_ELEMENT = (
        "no-element",
        "the graph cannot be built: no element …",
        "Run “mirante doctor” on the worker's machine: it names the package that is missing.",
        _LASTING,
    )
    UNREADABLE = (
        "unreadable",
        "not a readable video: …",
        "Check that it is the address of a video stream, or try another path or file.",
        _LASTING,
    )
    NO_FILE = (
        "no-file",
        "no such file: … / no images in …",
        "The path is on the worker's machine: check its spelling there. An address on the network "
        "begins with its scheme, as rtsp://, and a pattern of images with images:.",
        _LASTING,
    )
    NO_ACCESS = (
        "no-access",
        "… cannot be opened: no permission… / … is a directory",
        "The path is on the worker's machine, whose user needs permission to read it. The images "
        "of a directory are read with images: in front of it.",
        _LASTING,
    )
    NOT_SEEKABLE = (
        "not-seekable",
        "the file cannot be rewound",
        "Convert it to another container, such as MP4, or set loop: false.",
    )
    END_OF_FILE = (
        "end-of-file",
        "end of file",
        "Set loop: true for a file that restarts at its end.",
    )
    FILE_CUT = (
        "file-cut",
        "end of a file that is cut: …; … frames read",
        "Copy the file again, or export the recording again: a part of it is missing.",
    )
    FILE_STALLED = (
        "file-stalled",
        "the file gave nothing for …; … frames were read",
        "Check the disk or the share that it is on, and whether it plays to its end elsewhere; "
        "convert it to MP4 otherwise.",
        _LASTING,
    )
    NO_DEVICE = (
        "no-device",
        "no device …: not plugged in?",
        "Plug it in; “ls /dev/video*” on the worker's machine lists the devices.",
    )
    BUSY = (
        "busy",
        "… is in use by another program",
        "Close the program that uses it; only one can read a webcam.",
    )
    NO_ONVIF = (
        "no-onvif",
        "… does not answer as ONVIF does: … / the camera offers no events over ONVIF",
        "Switch ONVIF on in the camera's settings, and write its address as onvif_url where it is "
        "at another port or path; or leave onvif out.",
        _LASTING,
    )
    EVENTS_REFUSED = (
        "events-refused",
        "the camera refuses what it is asked over ONVIF: …",
        "Close other programs that listen to its events, and see that this user may.",
    )
    STAGE_FAILED = (
        "stage-failed",
        "…: … / images arrive, but a stage failed on each of …",
        "The reason names the stage and what it raised; the worker's log says where.",
    )
    STAGE_STUCK = (
        "stage-stuck",
        "a stage has been busy with one frame for …",
        "Look in the camera's own stages for a wait without a limit; then restart the worker.",
        _LASTING,
    )
    STAGES_DROP = (
        "stages-drop",
        "images arrive, but the camera's own stages dropped each of …",
        "Check the rules of the camera's own stages.",
    )
    STAGES_SLOW = (
        "stages-slow",
        "images arrive, but none had passed the stages after …",
        "Test again: a model may still have been loading. Else choose a smaller model, or a "
        "smaller analysed width and height.",
    )
    INVALID = (
        "invalid",
        'KEY: "VALUE" — expected …',
        "Correct what the reason names.",
        _LASTING,
    )
    TRIAL_ENDED = (
        "trial-ended",
        "the trial ended … before it had an answer / the trial was ended after …",
        "Test again; the worker's log at level debug holds what the trial's process said.",
    )
    NO_WORKER = (
        "no-worker",
        'worker "…" is not running / worker "…" is not running; … / no worker has it yet',
        "Start it: “mirante up” with its configuration; of a fleet see “mirante fleet status”.",
    )
    NO_REDIS = (
        "no-redis",
        "no answer from Redis: …",
        "Check that Redis runs, and that this machine reaches it.",
    )
    REDIS_REFUSES = (
        "redis-refuses",
        "Redis …: … refuses writes (…)…",
        "Mend what the reason says of Redis. Workers run on meanwhile, and hold their results.",
    )
    OTHER = (
        "other",
        "… (words of GStreamer)",
        "The worker's log says more about it.",
    )


def advice_on(code: str | None) -> str | None:
    """Return what to do about a fault; None without one, or for a code of a later version."""
    return next((row.advice for row in FaultCode if row == code), None)
