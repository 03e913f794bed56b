"""Who may look and who may change: passwords, sessions, tokens, and what a browser may do."""
