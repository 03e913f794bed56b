"""Savings and costs of the gate, on scenes with known motion."""
