"""The dashboard's part of the audit log: what requests do, and writing it without delaying them."""
