"""How each vendor is spoken to: clients, protocols, sign-in. Knows neither models nor settings pages; ``backends/`` declares."""
