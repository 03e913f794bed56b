"""The web page and its API: a subscriber like any other, which writes nothing but what is wanted."""
