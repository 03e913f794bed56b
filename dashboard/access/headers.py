"""The headers that tell a browser what it may do with an answer."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders

from pipeline.control.image_links import PATH as LINKED_IMAGE

POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def add_headers(headers: MutableHeaders, path: str) -> None:
    """Adds them to an answer; those of the API are kept by no cache."""
    headers.update(HEADERS)
    if path.startswith("/api/"):
        headers["Cache-Control"] = "no-store"
    if path == LINKED_IMAGE:  # made for the pages of others
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
