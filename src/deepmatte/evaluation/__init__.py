"""Measuring mattes: metrics, methods, reports."""
