"""The job queue: SQLite store, worker and leases."""
