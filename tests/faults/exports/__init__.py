"""Exports under fire: annotations saved over HTTP while web server, workers, queue and target die."""
