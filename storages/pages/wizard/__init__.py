"""Connecting a storage step by step, and changing one: each step a page of its own over a draft; only saving counts."""
