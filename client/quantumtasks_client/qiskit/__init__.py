"""Qiskit on the service."""
