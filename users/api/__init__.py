"""The HTTP face of accounts: serializers and views. Decides nothing about who may sign in."""
