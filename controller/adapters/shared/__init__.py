"""What both platforms do alike: orders, sources of a revision, words out of logs."""
