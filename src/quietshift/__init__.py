"""Quietshift: turns pages into automation."""

__version__ = "0.1.0"
