"""The sync engine: pure Python over a Client and a few injected functions; no Django, no HTTP, no queue."""
