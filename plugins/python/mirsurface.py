"""Registers ``mirsurface`` where GStreamer loads Python plugins from (GST_PLUGIN_PATH=plugins)."""

from plugins.elements import factory

__gstelementfactory__ = factory("mirsurface")
