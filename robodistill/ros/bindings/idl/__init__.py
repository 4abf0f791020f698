"""Interfaces: definitions, message classes, their bytes on the wire and their hashes."""
