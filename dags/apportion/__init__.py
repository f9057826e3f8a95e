"""Apportion: a personalization-attribution warehouse."""

__version__ = "0.1.0"
