"""Measuring a classifier on images that it has not seen: numbers, pictures, a report."""
