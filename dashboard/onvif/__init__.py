"""Cameras on the local network that speak ONVIF."""
