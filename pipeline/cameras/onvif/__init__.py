"""ONVIF beside the streams: SOAP, and the events that a camera itself tells of."""
