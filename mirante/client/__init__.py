"""The subscriber. All that is no input or output is shared by ``subscribe`` and its async twin."""
