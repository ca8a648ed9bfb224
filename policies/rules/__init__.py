"""The rules: a module per service, a function per control."""
