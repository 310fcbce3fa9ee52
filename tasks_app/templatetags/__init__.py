"""What templates need to show."""
