"""Bundles: all that Mirante needs of Python, for a machine without internet."""
