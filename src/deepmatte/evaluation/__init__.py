"""Measuring mattes: metrics, data sets, methods side by side, reports."""
