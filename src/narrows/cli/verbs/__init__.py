"""Verbs, one file per panel of the help: each declares its options and calls its action.

A verb has as many parameters as it has options, so these signatures are long.
"""
