"""The search: its space, its driver, its worker and its records."""
