"""Kafka: messages as they are, a topic for each kind, a camera's in their order."""
