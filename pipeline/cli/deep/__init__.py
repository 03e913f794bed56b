"""``mirante doctor --deep``: a running installation looked at, part by part."""
