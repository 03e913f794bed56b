"""The gate: which frames are looked at, from motion in the decoded image."""
