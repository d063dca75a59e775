"""Figures, never tests: ratios within one run, so that they mean something on any machine."""
