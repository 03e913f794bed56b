"""More cameras than one machine: which worker of many has which camera."""
