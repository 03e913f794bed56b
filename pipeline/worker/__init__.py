"""A worker: a process that runs cameras, publishes what they see and heals by itself."""
