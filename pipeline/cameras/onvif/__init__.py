"""ONVIF beside the streams: SOAP, and the camera's own events."""
