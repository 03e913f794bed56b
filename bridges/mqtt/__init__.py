"""MQTT: states, counts, events and images for brokers, Home Assistant and whoever listens there."""
