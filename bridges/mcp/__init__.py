"""The dashboard's API as tools of the Model Context Protocol."""
