"""Personal data: what is kept about orders is exported and erased on request."""
