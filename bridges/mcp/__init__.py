"""The bridge to agents: the dashboard's API as tools of the Model Context Protocol."""
