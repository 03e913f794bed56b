"""The state that worker, dashboard and command line share through Redis."""
