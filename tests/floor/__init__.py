"""Tests of what importing costs."""
