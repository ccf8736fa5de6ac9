"""Rows from anywhere, behind one protocol: one file for each kind of data."""
