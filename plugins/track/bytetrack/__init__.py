"""ByteTrack: boxes of a high score are matched first, then those of a low score (Zhang et al.,
2022), with what has become usual since: time in seconds, wide boxes for objects long unseen.
"""
