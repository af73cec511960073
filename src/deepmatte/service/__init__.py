"""`deepmatte serve`: mattes over HTTP, for programs."""
