"""The web page and its API: a subscriber like any other that writes only what is wanted."""
