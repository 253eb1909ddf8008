"""Fixtures of the plugin's tests."""
