"""ONVIF's Profile M: objects and events as its metadata stream has them, in XML and in JSON."""
