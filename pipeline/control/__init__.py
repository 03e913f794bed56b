"""What worker, dashboard and command line share through Redis."""
