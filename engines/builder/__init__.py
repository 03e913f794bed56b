"""Engines: models made ready for one runtime, one device and one precision, each proved equal."""
