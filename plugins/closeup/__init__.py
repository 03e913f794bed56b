"""Parts of the decoded image at full resolution, as they are shown."""
